"""Writes a folder, as bench/random-model.mjs makes it, in the forms that peers read.

    python bench/peers/export.py <folder> <out> onnxruntime:f32 onnxruntime:int8 llama:BF16 llama:Q8_0

<out>/f32 and <out>/int8, of SmolVLM only: tower.onnx, decoder.onnx and shapes.json for onnxruntime, with the fused attention
that it has for CPUs; int8 by its own dynamic quantisation. <out>/BF16.gguf and the like: the decoder for llama.cpp.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors import safe_open

MICROSOFT = "com.microsoft"


class Weights:
    """The tensors of a file as f32, each read when it is asked for: a model of 14 GB has no room twice."""

    def __init__(self, path):
        self.file = safe_open(path, "pt")
        self.names = set(self.file.keys())

    def __contains__(self, name):
        return name in self.names

    def __getitem__(self, name):
        return self.file.get_tensor(name).float().numpy()


class Graph:
    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.known = weights, [], [], set()

    def constant(self, name, array):
        if name not in self.known:
            self.known.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name, transpose=False):
        array = self.weights[name]
        return self.constant(name, array.T if transpose else array)

    def node(self, op, *inputs, outputs=1, domain="", **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x, name):
        y = self.node("MatMul", x, self.weight(f"{name}.weight", transpose=True))
        return self.node("Add", y, self.weight(f"{name}.bias")) if f"{name}.bias" in self.weights else y

    def reshape(self, x, *shape):
        return self.node("Reshape", x, self.constant(f"shape{shape}", np.array(shape, np.int64)))

    def save(self, path, inputs, outputs):
        for node, (name, _) in zip([n for n in self.nodes if n.op_type == "Identity"], outputs):
            node.output[0] = name
        value = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
        graph = helper.make_graph(self.nodes, "g", [value(*i) for i in inputs],
                                  [value(name, TensorProto.FLOAT, shape) for name, shape in outputs], self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)


def export_tower(weights, config, path):
    v, g = config["vision_config"], Graph(weights)
    n_heads, d, patch = v["num_attention_heads"], v["hidden_size"], v["patch_size"]
    side, fold = v["image_size"] // patch, config["scale_factor"]
    norm = lambda x, name: g.node("LayerNormalization", x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias"),
                                  epsilon=v["layer_norm_eps"])
    top = "model.vision_model"
    x = g.node("Conv", "pixels", g.weight(f"{top}.embeddings.patch_embedding.weight"),
               g.weight(f"{top}.embeddings.patch_embedding.bias"), strides=[patch, patch])
    x = g.node("Transpose", g.reshape(x, 0, d, side * side), perm=[0, 2, 1])
    x = g.node("Add", x, g.weight(f"{top}.embeddings.position_embedding.weight"))
    for i in range(v["num_hidden_layers"]):
        layer = f"{top}.encoder.layers.{i}"
        y = norm(x, f"{layer}.layer_norm1")
        q, k, w = (g.linear(y, f"{layer}.self_attn.{p}_proj") for p in "qkv")
        y = g.node("MultiHeadAttention", q, k, w, domain=MICROSOFT, num_heads=n_heads)
        x = g.node("Add", x, g.linear(y, f"{layer}.self_attn.out_proj"))
        y = g.node("Gelu", g.linear(norm(x, f"{layer}.layer_norm2"), f"{layer}.mlp.fc1"), approximate="tanh")
        x = g.node("Add", x, g.linear(y, f"{layer}.mlp.fc2"))
    x = norm(x, f"{top}.post_layernorm")
    x = g.reshape(x, 0, side // fold, fold, side // fold, fold * d)  # squares of patches become one row
    x = g.reshape(g.node("Transpose", x, perm=[0, 1, 3, 2, 4]), 0, (side // fold) ** 2, fold * fold * d)
    g.node("Identity", g.linear(x, "model.connector.modality_projection.proj"))
    g.save(path, [("pixels", TensorProto.FLOAT, ["n", 3, v["image_size"], v["image_size"]])],
           [("rows", ["n", (side // fold) ** 2, config["text_config"]["hidden_size"]])])


def export_decoder(weights, config, path):
    t, g = config["text_config"], Graph(weights)
    n_kv, d_head, n = t["num_key_value_heads"], t["head_dim"], t["num_hidden_layers"]
    inverse = t["rope_parameters"]["rope_theta"] ** -(np.arange(0, d_head, 2) / d_head)
    angles = np.arange(t["max_position_embeddings"])[:, None] * inverse
    cosine = g.constant("cosine", np.cos(angles).astype(np.float32))
    sine = g.constant("sine", np.sin(angles).astype(np.float32))
    norm = lambda x, name: g.node("SimplifiedLayerNormalization", x, g.weight(f"{name}.weight"), axis=-1,
                                  epsilon=t["rms_norm_eps"])
    past = ["n", n_kv, "past", d_head]
    inputs = [("x", TensorProto.FLOAT, ["n", "rows", t["hidden_size"]]), ("last_row", TensorProto.INT32, ["n"]),
              ("total", TensorProto.INT32, [1])]
    x, outputs, present = "x", [("logits", ["n", 1, t["vocab_size"]])], []
    for i in range(n):
        layer = f"model.text_model.layers.{i}"
        inputs += [(f"past_{kind}_{i}", TensorProto.FLOAT, past) for kind in ("key", "value")]
        y = norm(x, f"{layer}.input_layernorm")
        q, k, v = (g.linear(y, f"{layer}.self_attn.{p}_proj") for p in "qkv")
        y, *kept = g.node("GroupQueryAttention", q, k, v, f"past_key_{i}", f"past_value_{i}", "last_row", "total", cosine,
                          sine, outputs=3, domain=MICROSOFT, num_heads=t["num_attention_heads"], kv_num_heads=n_kv,
                          do_rotary=1)
        present += kept
        x = g.node("Add", x, g.linear(y, f"{layer}.self_attn.o_proj"))
        y = norm(x, f"{layer}.post_attention_layernorm")
        gate, up = g.linear(y, f"{layer}.mlp.gate_proj"), g.linear(y, f"{layer}.mlp.up_proj")
        y = g.node("Mul", g.node("Mul", gate, g.node("Sigmoid", gate)), up)
        x = g.node("Add", x, g.linear(y, f"{layer}.mlp.down_proj"))
        outputs += [(f"present_{kind}_{i}", ["n", n_kv, "all", d_head]) for kind in ("key", "value")]
    last = g.node("Gather", norm(x, "model.text_model.norm"), g.constant("last", np.array([-1], np.int64)), axis=1)
    head = g.node("MatMul", last, g.weight("model.text_model.embed_tokens.weight", transpose=True))
    for name in [head, *present]:
        g.node("Identity", name)
    g.save(path, inputs, outputs)


def export_gguf(weights, config, path, kind):
    t = config.get("text_config", config)
    is_qwen = config["model_type"] == "qwen2_vl"
    top = next(top for top in ("model.text_model", "language_model.model", "model") if f"{top}.norm.weight" in weights)
    writer = gguf.GGUFWriter(path, "qwen2" if is_qwen else "llama", use_temp_file=True)
    writer.add_block_count(t["num_hidden_layers"])
    writer.add_context_length(t["max_position_embeddings"])
    writer.add_embedding_length(t["hidden_size"])
    writer.add_feed_forward_length(t["intermediate_size"])
    writer.add_head_count(t["num_attention_heads"])
    writer.add_head_count_kv(t["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(t["rms_norm_eps"])
    writer.add_rope_freq_base(t["rope_theta"] if is_qwen else t["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(t["hidden_size"] // t["num_attention_heads"])
    writer.add_vocab_size(t["vocab_size"])
    # Words that nobody will read.
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words += [f"word{i}" for i in range(t["vocab_size"] - len(words))]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * len(words))
    writer.add_token_types(kinds + [gguf.TokenType.NORMAL] * (len(words) - len(kinds)))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}

    def add(name, array):
        if array.ndim == 1:
            writer.add_tensor(name, array)
        else:
            writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)

    add("token_embd.weight", weights[f"{top}.embed_tokens.weight"])
    add("output_norm.weight", weights[f"{top}.norm.weight"])
    if "language_model.lm_head.weight" in weights:
        add("output.weight", weights["language_model.lm_head.weight"])
    for i in range(t["num_hidden_layers"]):
        for theirs, name in names.items():
            for part in ("weight", "bias"):
                if (tensor := f"{top}.layers.{i}.{theirs}.{part}") in weights:
                    add(f"blk.{i}.{name}.{part}", weights[tensor])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    folder, out = map(pathlib.Path, sys.argv[1:3])
    peers = sys.argv[3:]
    config = json.loads((folder / "config.json").read_text())
    weights = Weights(folder / "model.safetensors")
    if any(peer.startswith("onnxruntime") for peer in peers):
        export_onnx(weights, config, out)
    for peer in peers:
        if peer.startswith("llama:"):
            name = peer.removeprefix("llama:")
            export_gguf(weights, config, out / f"{name}.gguf", gguf.GGMLQuantizationType[name])


def export_onnx(weights, config, out):
    text = config["text_config"]
    shapes = {"d_model": text["hidden_size"], "n_layers": text["num_hidden_layers"],
              "n_kv_heads": text["num_key_value_heads"], "d_head": text["head_dim"],
              "side": config["vision_config"]["image_size"]}
    for kind in ("f32", "int8"):
        (out / kind).mkdir(parents=True, exist_ok=True)
        (out / kind / "shapes.json").write_text(json.dumps(shapes))
    export_tower(weights, config, out / "f32/tower.onnx")
    export_decoder(weights, config, out / "f32/decoder.onnx")
    for name in ("tower.onnx", "decoder.onnx"):
        quantize_dynamic(out / "f32" / name, out / "int8" / name, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"],
                         extra_options={"DefaultTensorType": TensorProto.FLOAT})


main()
