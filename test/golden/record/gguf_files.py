"""GGUF files of the tiny checkpoints, written as llama.cpp's converters write them, and what they hold by gguf's own reading.

Files of plain floats say what the checkpoint beside them says, so tests compare the two. A further LLaVA whose matrices
are random blocks of every quantised type is recorded with transformers' logits for the weights that gguf-py makes of
those blocks. blocks.bin has blocks of random bytes of each type, tokenizers.json vocabularies with the ids of sentences.
"""

import json
import shutil
import sys

import gguf
import numpy as np
import sentencepiece
import torch
import transformers
from gguf import GGMLQuantizationType as Q
from safetensors.torch import load_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from common import GOLDEN, ROOT, GoldenWriter, load_llava
from variants import randomise

FOLDER = GOLDEN / "gguf"
BLOCKS = [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q4_K, Q.Q5_K, Q.Q6_K]
IMAGE_TOKEN = 3


def interleave(rows, heads):
    """Rows 0, d/2, 1, d/2 + 1, … of each head, as convert_hf_to_gguf writes q and k of Llama."""
    d = rows.shape[0] // heads
    order = np.arange(d).reshape(2, d // 2).T.reshape(-1)
    return rows.reshape(heads, d, *rows.shape[1:])[:, order].reshape(rows.shape)


def undo_interleave(rows, heads):
    d = rows.shape[0] // heads
    order = np.argsort(np.arange(d).reshape(2, d // 2).T.reshape(-1))
    return rows.reshape(heads, d, *rows.shape[1:])[:, order].reshape(rows.shape)


def heads_of(name, text):
    if ".q_proj." in name:
        return text.num_attention_heads
    return text.num_key_value_heads if ".k_proj." in name else 0


def plain(writer, name, tensor, kind):
    """kind for matrices; vectors are f32, as everywhere in GGUF."""
    array = tensor.float().numpy()
    if array.ndim == 1 or kind == Q.F32:
        writer.add_tensor(name, array)
    elif kind == Q.F16:
        writer.add_tensor(name, array.astype(np.float16))
    else:
        assert kind == Q.BF16
        writer.add_tensor(name, gguf.quants.quantize(array, Q.BF16), raw_dtype=Q.BF16)


def decoder_metadata(writer, text, vocab):
    writer.add_block_count(text.num_hidden_layers)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_feed_forward_length(text.intermediate_size)
    writer.add_head_count(text.num_attention_heads)
    writer.add_head_count_kv(text.num_key_value_heads)
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)
    writer.add_rope_freq_base(text.rope_parameters["rope_theta"])
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    writer.add_rope_dimension_count(head_dim)
    if head_dim != text.hidden_size // text.num_attention_heads:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    writer.add_vocab_size(vocab)


def vision_metadata(writer, vision, block_count, mean, std):
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_uint32("clip.vision.image_size", vision.image_size)
    writer.add_uint32("clip.vision.patch_size", vision.patch_size)
    writer.add_uint32("clip.vision.embedding_length", vision.hidden_size)
    writer.add_uint32("clip.vision.feed_forward_length", vision.intermediate_size)
    writer.add_uint32("clip.vision.attention.head_count", vision.num_attention_heads)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", vision.layer_norm_eps)
    writer.add_uint32("clip.vision.block_count", block_count)
    writer.add_array("clip.vision.image_mean", mean)
    writer.add_array("clip.vision.image_std", std)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def decoder_name(name, n_layers, arch=gguf.MODEL_ARCH.LLAMA):
    """gguf-py's own name for a tensor of a decoder."""
    found = gguf.get_tensor_name_map(arch, n_layers).get_name(name, try_suffixes=(".weight", ".bias"))
    assert found is not None, name
    return found


def vision_name(name, n_layers, legacy):
    if name.startswith("multi_modal_projector.linear"):  # as the converter of LLaVA-1.5 names them
        return name.replace("multi_modal_projector.", "mm.").replace("linear_1", "0").replace("linear_2", "2")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, n_layers)
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    assert found is not None, name
    if legacy:  # what was said of fc1 and fc2 until 2025
        swap = {"ffn_up": "ffn_down", "ffn_down": "ffn_up"}
        for old, new in swap.items():
            if old in found:
                return found.replace(old, new)
    return found


def letters_tokenizer(writer, vocab):
    """A SentencePiece vocabulary of letters around the special tokens of the checkpoints."""
    letters = ["▁"] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("ABCDEFGHIJKLMNOPQRSTUVWXYZ?.!,:012\n'-")
    tokens = (["<unk>", "<s>", "</s>", "<image>"] + letters)[:vocab]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 3, *[gguf.TokenType.NORMAL] * (len(tokens) - 4)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 4 + [-float(i) for i in range(len(tokens) - 4)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def bpe_tokenizer(writer, folder, pre):
    """tokenizer.json as convert_hf_to_gguf writes it."""
    backend = json.loads((folder / "tokenizer.json").read_text())
    added = {token["id"]: token for token in backend["added_tokens"]}
    by_id = {i: token for token, i in backend["model"]["vocab"].items()} | {i: t["content"] for i, t in added.items()}
    kinds = {True: gguf.TokenType.CONTROL, False: gguf.TokenType.USER_DEFINED}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([by_id[i] for i in range(len(by_id))])
    writer.add_token_types([kinds[added[i]["special"]] if i in added else gguf.TokenType.NORMAL for i in range(len(by_id))])
    writer.add_token_merges([" ".join(merge) for merge in backend["model"]["merges"]])
    config = json.loads((folder / "tokenizer_config.json").read_text())
    ids = {token: i for i, token in by_id.items()}
    if config.get("bos_token"):
        writer.add_bos_token_id(ids[config["bos_token"]])
    writer.add_eos_token_id(ids[config["eos_token"]])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text())


CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def write_llava(source, target, kind):
    """A checkpoint of test/golden/variants, whose features are those of the last layer but one."""
    model = load_llava(source)
    text, vision = model.config.text_config, model.config.vision_config
    kept = vision.num_hidden_layers - 1
    target.mkdir(parents=True)
    decoder = gguf.GGUFWriter(target / f"{target.name}-{kind.name}.gguf", "llama")
    decoder_metadata(decoder, text, text.vocab_size)
    letters_tokenizer(decoder, text.vocab_size)
    mmproj = gguf.GGUFWriter(target / f"mmproj-{target.name}-{kind.name}.gguf", "clip")
    vision_metadata(mmproj, vision, kept, CLIP_MEAN, CLIP_STD)
    mmproj.add_string("clip.projector_type", "mlp")
    mmproj.add_bool("clip.use_gelu", False)
    for name, tensor in sorted(model.state_dict().items()):
        name = name.removeprefix("model.")
        if name.startswith("language_model.") or name.startswith("lm_head"):
            inner = name.replace("language_model.", "model.")
            heads = heads_of(name, text)
            array = torch.from_numpy(interleave(tensor.float().numpy(), heads)) if heads else tensor
            plain(decoder, decoder_name(inner, text.num_hidden_layers), array, kind)
            continue
        if "post_layernorm" in name or f"layers.{kept}." in name or "position_ids" in name:
            continue
        if name.startswith("vision_tower."):
            name = "vision_tower.vision_model." + name.removeprefix("vision_tower.").removeprefix("vision_model.")
        plain(mmproj, vision_name(name, kept, True), tensor, kind)
    finish(decoder)
    finish(mmproj)


def write_smolvlm():
    source, target = GOLDEN / "idefics3" / "smolvlm", FOLDER / "smolvlm"
    config = transformers.AutoConfig.from_pretrained(source)
    text, vision = config.text_config, config.vision_config
    target.mkdir(parents=True)
    decoder = gguf.GGUFWriter(target / "smolvlm-BF16.gguf", "llama")
    decoder_metadata(decoder, text, text.vocab_size)
    bpe_tokenizer(decoder, source, "gpt-2")
    mmproj = gguf.GGUFWriter(target / "mmproj-smolvlm-BF16.gguf", "clip")
    vision_metadata(mmproj, vision, vision.num_hidden_layers, [0.5] * 3, [0.5] * 3)
    mmproj.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    mmproj.add_vision_projector_scale_factor(config.scale_factor)
    mmproj.add_vision_use_gelu(True)
    mmproj.add_vision_preproc_image_size(96)
    for name, tensor in sorted(load_file(source / "model.safetensors").items()):
        if "text_model" in name or name.startswith("lm_head"):
            heads = heads_of(name, text)
            array = torch.from_numpy(interleave(tensor.float().numpy(), heads)) if heads else tensor
            plain(decoder, decoder_name(name.replace("text_model.", ""), text.num_hidden_layers), array, Q.BF16)
        else:
            plain(mmproj, vision_name(name, vision.num_hidden_layers, False), tensor, Q.F32 if "embeddings" in name else Q.BF16)
    finish(decoder)
    finish(mmproj)


class Parts(gguf.GGUFWriter):
    """A model in several files, as gguf-split writes it: only the first says what it is."""

    def __init__(self, path, arch, tensors):
        super().__init__(path, arch, split_max_tensors=tensors)


MERGER = {"norm": "v.post_ln", "linear_fc1": "mm.0", "linear_fc2": "mm.2"}


def qwen3_name(name, vision):
    """What the converter of Qwen3-VL calls the parts of the tower that gguf-py has no name for; else None."""
    parts = name.split(".")
    if parts[1] == "merger":
        return f"{MERGER[parts[2]]}.{parts[3]}"
    if parts[1] == "deepstack_merger_list":  # by the number of the tower's layer
        layer = vision.deepstack_visual_indexes[int(parts[2])]
        return f"v.deepstack.{layer}.{parts[3].replace('linear_', '')}.{parts[4]}"
    return None


def write_qwen(name):
    """Qwen2-VL with q, k and v of the tower apart and its decoder in parts, Qwen2.5-VL and Qwen3-VL with them fused."""
    source, target = GOLDEN / "qwen_vl" / name, FOLDER / name
    config = transformers.AutoConfig.from_pretrained(source)
    text, vision = config.text_config, config.vision_config
    is_first, is_third = name == "qwen2_vl", name == "qwen3_vl"
    arch = gguf.MODEL_ARCH.QWEN3VL if is_third else gguf.MODEL_ARCH.QWEN2VL
    target.mkdir(parents=True)
    decoder = Parts(target / f"{name}-BF16.gguf", gguf.MODEL_ARCH_NAMES[arch], 20 if is_first else 0)
    decoder_metadata(decoder, text, text.vocab_size)
    decoder.add_rope_dimension_sections(text.rope_parameters["mrope_section"] + [0])
    if is_third:
        decoder.add_num_deepstack_layers(len(vision.deepstack_visual_indexes))
    bpe_tokenizer(decoder, source, "gpt-2")
    mmproj = gguf.GGUFWriter(target / f"mmproj-{name}-BF16.gguf", "clip")
    images = json.loads((source / "preprocessor_config.json").read_text())
    width = vision.embed_dim if is_first else vision.hidden_size
    mmproj.add_bool("clip.has_vision_encoder", True)
    mmproj.add_vision_image_size(560)
    mmproj.add_vision_patch_size(vision.patch_size)
    mmproj.add_vision_embedding_length(width)
    # The converter takes the decoder's width for the first of these models, where config.json says another thing.
    mmproj.add_vision_feed_forward_length(vision.hidden_size if is_first else vision.intermediate_size)
    mmproj.add_vision_head_count(vision.num_heads)
    mmproj.add_vision_attention_layernorm_eps(1e-6)
    mmproj.add_vision_block_count(vision.depth)
    mmproj.add_vision_image_mean(images["image_mean"])
    mmproj.add_vision_image_std(images["image_std"])
    mmproj.add_vision_min_pixels(256)
    mmproj.add_vision_max_pixels(1536)
    kinds = gguf.VisionProjectorType
    mmproj.add_clip_projector_type(kinds.QWEN2VL if is_first else kinds.QWEN3VL if is_third else kinds.QWEN25VL)
    if is_third:
        mmproj.add_vision_use_gelu(True)
        mmproj.add_vision_spatial_merge_size(vision.spatial_merge_size)
        mmproj.add_vision_is_deepstack_layers([i in vision.deepstack_visual_indexes for i in range(vision.depth)])
    elif not is_first:
        mmproj.add_vision_use_silu(True)
        mmproj.add_vision_n_wa_pattern(vision.fullatt_block_indexes[0] + 1)
        mmproj.add_uint32(gguf.Keys.ClipVision.WINDOW_SIZE, vision.window_size)
    for tensor_name, tensor in sorted(load_file(source / "model.safetensors").items()):
        tensor_name = tensor_name.removeprefix("model.").replace("language_model.", "")
        if not tensor_name.startswith("visual."):
            inner = tensor_name if tensor_name.startswith("lm_head") else "model." + tensor_name.removeprefix("model.")
            plain(decoder, decoder_name(inner, text.num_hidden_layers, arch), tensor, Q.BF16)
            continue
        if is_third and (there := qwen3_name(tensor_name, vision)):
            plain(mmproj, there, tensor, Q.BF16)
        elif "pos_embed" in tensor_name:
            plain(mmproj, vision_name(tensor_name, vision.depth, False), tensor, Q.F32)
        elif "patch_embed.proj.bias" in tensor_name:
            plain(mmproj, "v.patch_embd.bias", tensor, Q.F32)
        elif "patch_embed" in tensor_name:  # in f32, as it always is, one part for each frame
            for frame, end in enumerate(("", ".1")):
                plain(mmproj, vision_name(tensor_name, vision.depth, False) + end, tensor[:, :, frame].contiguous(), Q.F32)
        elif "qkv" in tensor_name and is_first:
            for part, rows in zip("qkv", tensor.chunk(3)):
                plain(mmproj, vision_name(tensor_name.replace("qkv", part), vision.depth, False), rows.contiguous(), Q.BF16)
        else:
            plain(mmproj, vision_name(tensor_name, vision.depth, False), tensor, Q.BF16)
    finish(decoder)
    finish(mmproj)


def score_pieces(pieces, merges):
    """Scores of a SentencePiece model that would have these merges: the sooner, the better."""
    scores = {a + b: -float(i) for i, (a, b) in enumerate(merges)}
    return [scores.get(piece, -1000.0) for piece in pieces]


def gemma_vocabulary(writer, folder):
    """tokenizer.json as the converter writes a SentencePiece model."""
    backend = json.loads((folder / "tokenizer.json").read_text())
    added = {token["id"]: token for token in backend["added_tokens"]}
    by_id = {i: token for token, i in backend["model"]["vocab"].items()} | {i: t["content"] for i, t in added.items()}
    pieces = [by_id[i] for i in range(len(by_id))]

    def kind(i):
        if pieces[i] == "<unk>":
            return gguf.TokenType.UNKNOWN
        if i in added:
            return gguf.TokenType.CONTROL if added[i]["special"] else gguf.TokenType.USER_DEFINED
        return gguf.TokenType.BYTE if pieces[i].startswith("<0x") else gguf.TokenType.NORMAL

    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores(score_pieces(pieces, backend["model"]["merges"]))
    writer.add_token_types([kind(i) for i in range(len(pieces))])
    writer.add_bos_token_id(pieces.index("<bos>"))
    writer.add_eos_token_id(pieces.index("<eos>"))
    writer.add_unk_token_id(pieces.index("<unk>"))
    writer.add_pad_token_id(pieces.index("<pad>"))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text())


def write_gemma3():
    """Norms as 1 + weight, but for those of the tower; the scores' divisor is left out, as the converter does."""
    source, target = GOLDEN / "gemma3" / "gemma3", FOLDER / "gemma3"
    config = transformers.AutoConfig.from_pretrained(source)
    text, vision = config.text_config, config.vision_config
    images = json.loads((source / "preprocessor_config.json").read_text())
    target.mkdir(parents=True)
    decoder = gguf.GGUFWriter(target / "gemma3-BF16.gguf", "gemma3")
    decoder.add_block_count(text.num_hidden_layers)
    decoder.add_context_length(text.max_position_embeddings)
    decoder.add_embedding_length(text.hidden_size)
    decoder.add_feed_forward_length(text.intermediate_size)
    decoder.add_head_count(text.num_attention_heads)
    decoder.add_head_count_kv(text.num_key_value_heads)
    decoder.add_layer_norm_rms_eps(text.rms_norm_eps)
    decoder.add_key_length(text.head_dim)
    decoder.add_value_length(text.head_dim)
    rope = text.rope_parameters
    decoder.add_rope_freq_base(rope["full_attention"]["rope_theta"])
    decoder.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    decoder.add_rope_scaling_factor(rope["full_attention"]["factor"])
    decoder.add_float32(gguf.Keys.Rope.FREQ_BASE_SWA.format(arch="gemma3"), rope["sliding_attention"]["rope_theta"])
    decoder.add_sliding_window(text.sliding_window)
    gemma_vocabulary(decoder, source)
    mmproj = gguf.GGUFWriter(target / "mmproj-gemma3-BF16.gguf", "clip")
    vision_metadata(mmproj, vision, vision.num_hidden_layers, images["image_mean"], images["image_std"])
    mmproj.add_clip_projector_type(gguf.VisionProjectorType.GEMMA3)
    mmproj.add_vision_use_gelu(True)
    mmproj.add_vision_projector_scale_factor(vision.image_size // vision.patch_size // 4)
    for name, tensor in sorted(load_file(source / "model.safetensors").items()):
        if name.startswith("language_model."):
            inner = name.removeprefix("language_model.")
            shifted = tensor.float() + 1 if name.endswith("norm.weight") else tensor
            plain(decoder, decoder_name(inner, text.num_hidden_layers, gguf.MODEL_ARCH.GEMMA3), shifted, Q.BF16)
            continue
        name = name.replace("_weight", ".weight").replace("vision_tower.", "vision_tower.vision_model.")
        kind = Q.F32 if "embeddings" in name else Q.F16 if "input_projection" in name else Q.BF16
        assert kind != Q.F16 or torch.equal(tensor.half().float(), tensor.float())
        plain(mmproj, vision_name(name, vision.num_hidden_layers, False), tensor.float() + 1 if "soft_emb" in name else tensor, kind)
    finish(decoder)
    finish(mmproj)


def write_internvl():
    source, target = GOLDEN / "internvl" / "internvl", FOLDER / "internvl"
    config = transformers.AutoConfig.from_pretrained(source)
    text, vision = config.text_config, config.vision_config
    images = json.loads((source / "preprocessor_config.json").read_text())
    target.mkdir(parents=True)
    decoder = gguf.GGUFWriter(target / "internvl-BF16.gguf", "qwen2")
    decoder_metadata(decoder, text, text.vocab_size)
    bpe_tokenizer(decoder, source, "gpt-2")
    mmproj = gguf.GGUFWriter(target / "mmproj-internvl-BF16.gguf", "clip")
    vision.image_size, vision.patch_size = vision.image_size[0], vision.patch_size[0]
    vision_metadata(mmproj, vision, vision.num_hidden_layers, images["image_mean"], images["image_std"])
    mmproj.add_clip_projector_type(gguf.VisionProjectorType.INTERNVL)
    mmproj.add_vision_use_gelu(True)
    mmproj.add_vision_projector_scale_factor(int(1 / config.downsample_ratio))
    mmproj.add_vision_preproc_min_tiles(images["min_patches"])
    mmproj.add_vision_preproc_max_tiles(images["max_patches"])
    projector = {"layer_norm": "mlp1.0", "linear_1": "mlp1.1", "linear_2": "mlp1.3"}
    for name, tensor in sorted(load_file(source / "model.safetensors").items()):
        if name.startswith("language_model."):
            inner = name.removeprefix("language_model.")
            plain(decoder, decoder_name(inner, text.num_hidden_layers, gguf.MODEL_ARCH.QWEN2), tensor, Q.BF16)
            continue
        if name.startswith("multi_modal_projector."):
            _, part, end = name.split(".")
            name = f"{projector[part]}.{end}"
        elif "lambda_" in name or "position_embeddings" in name:
            name += ".weight"
        name = name.replace("vision_tower.", "model.vision_tower.")
        there = vision_name(name, 4, False)  # numbers of layers, and 0 to 3 of the projector's parts
        plain(mmproj, there, tensor, Q.F32 if "embeddings" in name else Q.BF16)
    finish(decoder)
    finish(mmproj)


def write_llava_next():
    """LLaVA-1.6 as its converter of old writes the tower and the grids of tiles, with the decoder of today's."""
    source, target = GOLDEN / "llava-next" / "llava-next", FOLDER / "llava-next"
    config = transformers.AutoConfig.from_pretrained(source)
    text, vision = config.text_config, config.vision_config
    kept = vision.num_hidden_layers - 1
    target.mkdir(parents=True)
    decoder = gguf.GGUFWriter(target / "llava-next-BF16.gguf", "llama")
    decoder_metadata(decoder, text, text.vocab_size)
    bpe_tokenizer(decoder, source, "gpt-2")
    mmproj = gguf.GGUFWriter(target / "mmproj-llava-next-BF16.gguf", "clip")
    vision_metadata(mmproj, vision, kept, CLIP_MEAN, CLIP_STD)
    mmproj.add_string("clip.projector_type", "mlp")
    mmproj.add_bool("clip.use_gelu", False)
    mmproj.add_string("clip.vision.mm_patch_merge_type", "spatial_unpad")
    mmproj.add_string("clip.vision.image_aspect_ratio", "anyres")
    mmproj.add_array("clip.vision.image_grid_pinpoints", [side for grid in config.image_grid_pinpoints for side in grid])
    for name, tensor in sorted(load_file(source / "model.safetensors").items()):
        if name.startswith("language_model."):
            heads = heads_of(name, text)
            array = torch.from_numpy(interleave(tensor.float().numpy(), heads)) if heads else tensor
            plain(decoder, decoder_name(name.removeprefix("language_model."), text.num_hidden_layers), array, Q.BF16)
        elif name == "image_newline":
            plain(mmproj, "model.image_newline", tensor, Q.F32)
        elif "post_layernorm" not in name and f"layers.{kept}." not in name:
            name = name.replace("vision_tower.", "vision_tower.vision_model.")
            plain(mmproj, vision_name(name, kept, True), tensor, Q.F32 if "embeddings" in name else Q.BF16)
    finish(decoder)
    finish(mmproj)


def write_lfm2_vl(name):
    """Layers that convolve have no KV heads; the patches' matrix of pixels becomes a convolution.

    The converter has no case for biases of convolutions, which no published model has: lfm2-5-vl's are written as others.
    """
    source, target = GOLDEN / "lfm2_vl" / name, FOLDER / name
    config = transformers.AutoConfig.from_pretrained(source)
    text, vision = config.text_config, config.vision_config
    images = json.loads((source / "preprocessor_config.json").read_text())
    tensors = {key.removeprefix("model."): tensor for key, tensor in load_file(source / "model.safetensors").items()}
    target.mkdir(parents=True)
    decoder = gguf.GGUFWriter(target / f"{name}-BF16.gguf", "lfm2")
    decoder.add_block_count(text.num_hidden_layers)
    decoder.add_context_length(text.max_position_embeddings)
    decoder.add_embedding_length(text.hidden_size)
    decoder.add_feed_forward_length(len(tensors["language_model.layers.0.feed_forward.w1.weight"]))
    decoder.add_head_count(text.num_attention_heads)
    decoder.add_head_count_kv([0 if kind == "conv" else text.num_key_value_heads for kind in text.layer_types])
    decoder.add_layer_norm_rms_eps(text.norm_eps)
    decoder.add_rope_freq_base(text.rope_parameters["rope_theta"])
    decoder.add_vocab_size(text.vocab_size)
    decoder.add_shortconv_l_cache(text.conv_L_cache)
    bpe_tokenizer(decoder, source, "lfm2")
    mmproj = gguf.GGUFWriter(target / f"mmproj-{name}-BF16.gguf", "clip")
    vision.image_size = 256  # whatever the size of pictures is
    vision_metadata(mmproj, vision, vision.num_hidden_layers, images["image_mean"], images["image_std"])
    mmproj.add_clip_projector_type(gguf.VisionProjectorType.LFM2)
    mmproj.add_vision_projector_scale_factor(config.downsample_factor)
    mmproj.add_vision_use_gelu(True)
    for key, tensor in sorted(tensors.items()):
        if key.startswith(("language_model.", "lm_head")):
            inner = key.replace("language_model.", "model.")
            if "conv.conv.weight" in key:
                tensor = tensor.squeeze(1)
            there = decoder_name(inner, text.num_hidden_layers, gguf.MODEL_ARCH.LFM2)
            plain(decoder, there, tensor, Q.F32 if "conv.conv" in key else Q.BF16)
            continue
        if "patch_embedding.weight" in key:
            tensor = tensor.reshape(len(tensor), vision.patch_size, vision.patch_size, 3).permute(0, 3, 1, 2).contiguous()
        key = key.replace("vision_tower.", "vision_tower.vision_model.")
        there = vision_name(key, 4, False) if key.startswith("vision_tower.") else projector_name(key)
        plain(mmproj, there, tensor, Q.F32 if "embeddings" in key else Q.BF16)
    finish(decoder)
    finish(mmproj)


def projector_name(name):
    """gguf-py's own name for a tensor of a projector that has a number for each of its parts."""
    return gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, 4).get_name(name, try_suffixes=(".weight", ".bias"))


def random_blocks(kind, rows, columns, size, rng):
    """Blocks of random integers whose scales bring the numbers to about `size`."""
    block, n_bytes = gguf.GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (rows * columns // block, n_bytes), dtype=np.uint8)
    largest = {Q.Q4_0: 8, Q.Q4_1: 15, Q.Q5_0: 16, Q.Q5_1: 31, Q.Q8_0: 127, Q.Q4_K: 15 * 63, Q.Q5_K: 31 * 63, Q.Q6_K: 32 * 127}
    scale = (2 * size / largest[kind] * rng.uniform(0.5, 1, (len(data), 1))).astype(np.float16).view(np.uint8)
    if kind == Q.Q6_K:
        data[:, -2:] = scale
    else:
        data[:, :2] = scale
    if kind in (Q.Q4_1, Q.Q5_1):  # the lowest number of a block
        data[:, 2:4] = (-size * rng.uniform(0.5, 1, (len(data), 1))).astype(np.float16).view(np.uint8)
    if kind in (Q.Q4_K, Q.Q5_K):  # the scale of what is subtracted
        data[:, 2:4] = (size / 63 * rng.uniform(0.5, 1, (len(data), 1))).astype(np.float16).view(np.uint8)
    return data.reshape(rows, columns // block * n_bytes)


# Types of the decoder's matrices; those of 256 need rows of 256 numbers.
LAYER = dict(q_proj=Q.Q4_K, k_proj=Q.Q5_K, v_proj=Q.Q6_K, o_proj=Q.Q4_0, gate_proj=Q.Q8_0, up_proj=Q.Q4_1, down_proj=Q.Q5_0,
             embed_tokens=Q.Q6_K, lm_head=Q.Q5_1)  # fmt: skip


def write_quantised(golden):
    """A LLaVA of random blocks; features from two layers, so that the list of them counts."""
    text = dict(
        model_type="llama", vocab_size=64, hidden_size=256, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=128, rms_norm_eps=1e-5,
        tie_word_embeddings=False, rope_parameters=dict(rope_type="default", rope_theta=50000.0),
    )  # fmt: skip
    vision = dict(model_type="clip_vision_model", hidden_size=32, intermediate_size=64, num_hidden_layers=3,
                  num_attention_heads=2, image_size=21, patch_size=7, projection_dim=32, hidden_act="gelu")  # fmt: skip
    config = transformers.LlavaConfig(text_config=text, vision_config=vision, vision_feature_layer=[1, -2],
                                      image_token_index=IMAGE_TOKEN, tie_word_embeddings=False)  # fmt: skip
    model = transformers.LlavaForConditionalGeneration(config).eval()
    model.set_attn_implementation("eager")
    randomise(model, 77)
    text, vision = config.text_config, config.vision_config
    rng = np.random.default_rng(7)
    target = FOLDER / "quantised"
    target.mkdir(parents=True)
    decoder = gguf.GGUFWriter(target / "quantised-mixed.gguf", "llama")
    decoder_metadata(decoder, text, text.vocab_size)
    letters_tokenizer(decoder, text.vocab_size)
    mmproj = gguf.GGUFWriter(target / "mmproj-quantised-mixed.gguf", "clip")
    vision_metadata(mmproj, vision, 2, CLIP_MEAN, CLIP_STD)
    mmproj.add_string("clip.projector_type", "mlp")
    mmproj.add_bool("clip.use_gelu", True)
    mmproj.add_array("clip.vision.feature_layer", [1, 2])

    def put(writer, there, parameter, kind, heads=0):
        if parameter.ndim != 2 or kind in (Q.F32, Q.F16):
            array = parameter.numpy()
            stored = array.astype(np.float16) if kind == Q.F16 and array.ndim > 1 else array
            parameter.copy_(torch.from_numpy(stored.astype(np.float32)))
            writer.add_tensor(there, interleave(stored, heads) if heads else stored)
            return
        data = random_blocks(kind, *parameter.shape, float(parameter.abs().max()) / 2, rng)
        writer.add_tensor(there, data, raw_dtype=kind)
        numbers = gguf.quants.dequantize(data, kind)
        parameter.copy_(torch.from_numpy(undo_interleave(numbers, heads) if heads else numbers))

    for name, parameter in sorted(model.named_parameters()):
        name = name.removeprefix("model.")
        if name.startswith("language_model.") or name.startswith("lm_head"):
            inner = name.replace("language_model.", "model.")
            there = decoder_name(inner, text.num_hidden_layers)
            put(decoder, there, parameter, LAYER.get(name.split(".")[-2], Q.F32), heads_of(name, text))
            continue
        if "post_layernorm" in name or "layers.2." in name:
            continue
        if name.startswith("vision_tower."):
            name = "vision_tower.vision_model." + name.removeprefix("vision_tower.").removeprefix("vision_model.")
        kind = Q.Q4_K if "linear_2" in name else Q.Q8_0 if "mlp" in name or "linear_1" in name else Q.Q5_0
        kind = Q.F16 if "embed" in name else kind
        put(mmproj, vision_name(name, 2, False), parameter, kind)
    finish(decoder)
    finish(mmproj)

    generator = torch.Generator().manual_seed(5)
    words = torch.randint(4, 64, (12,), generator=generator)
    ids = torch.cat([torch.tensor([1]), words[:5], torch.full((9,), IMAGE_TOKEN), words[5:]])[None]
    pixels = torch.randn(1, 3, 21, 21, generator=generator).half()
    golden.add("quantised.input_ids", ids)
    golden.add("quantised.pixel_values", pixels)
    golden.add("quantised.logits", model(input_ids=ids, pixel_values=pixels.float()).logits)


def write_blocks(golden):
    rng = np.random.default_rng(3)
    for kind in BLOCKS:
        data = random_blocks(kind, 2, 256, 1.0, rng)
        golden.add(f"blocks.{kind.name}", data)
        golden.add(f"numbers.{kind.name}", gguf.quants.dequantize(data, kind))


SENTENCES = [
    "What is at the top left?", "I'LL say it's 12345 cats, don't we've?", "  two  spaces\tand a tab\n\nand lines\n", "",
    "naïve café — 北京 42 🙂", "x=3.14; y==(a+b)*c", "A sentence.\r\nAnother one!! ???", "  ",
    "<s>bos inside</s> and <image>\nafter", "1 22 333 4444 ٣٤",
]  # fmt: skip


# tokenizer.ggml.pre -> how the tokenizer.json of a model with it cuts words, as its authors published it
GPT2 = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
BYTES = dict(GPT2, use_regex=False)


def split(pattern):
    return dict(type="Sequence", pretokenizers=[
        dict(type="Split", pattern=dict(Regex=pattern), behavior="Isolated", invert=False), BYTES])  # fmt: skip


WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = {
    "gpt-2": GPT2,
    "smollm": dict(type="Sequence", pretokenizers=[dict(type="Digits", individual_digits=True), GPT2]),
    "llama-bpe": split(WORDS.replace("DIGITS", r"\p{N}{1,3}")),
    "qwen2": split(WORDS.replace("DIGITS", r"\p{N}")),
}


def bpe_case(text):
    """A byte-level vocabulary whose merges cross every border that a pre-tokenizer may draw."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r".{1,12}|\n+"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])  # fmt: skip
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    specials = ["<s>", "</s>", "<image>"]
    backend.train_from_iterator([text, " ".join(s for s in SENTENCES if "<s>" not in s) * 4], trainer)
    full = json.loads(backend.to_str())
    tokens = list(full["model"]["vocab"])
    assert not set(specials) & set(tokens)
    full["added_tokens"] = [
        dict(id=len(tokens) + i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
        for i, t in enumerate(specials)
    ]
    ids = {}
    for pre, setting in PRE_TOKENIZERS.items():
        cut = Tokenizer.from_str(json.dumps(dict(full, pre_tokenizer=setting, decoder=GPT2)))
        ids[pre] = [cut.encode(s, add_special_tokens=False).ids for s in SENTENCES]
    assert len({json.dumps(i) for i in ids.values()}) == len(ids), "every way of cutting shows"
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": tokens + specials,
        "tokenizer.ggml.token_type": [1] * len(tokens) + [3] * len(specials),
        "tokenizer.ggml.merges": [" ".join(m) for m in full["model"]["merges"]],
        "tokenizer.ggml.bos_token_id": len(tokens),
        "tokenizer.ggml.eos_token_id": len(tokens) + 1,
    }
    return {"metadata": metadata, "ids": ids}


def spm_case(text):
    """A small SentencePiece model with byte fallback, as Llama's is trained."""
    path = FOLDER / "tiny"
    (FOLDER / "tiny.txt").write_text(text)
    sentencepiece.SentencePieceTrainer.train(
        input=str(FOLDER / "tiny.txt"), model_prefix=str(path), model_type="bpe", vocab_size=600, byte_fallback=True,
        character_coverage=0.999, split_digits=True, add_dummy_prefix=True, remove_extra_whitespaces=False,
        normalization_rule_name="identity", allow_whitespace_only_pieces=True, user_defined_symbols=[],
        minloglevel=2,
    )  # fmt: skip
    spm = sentencepiece.SentencePieceProcessor(str(path) + ".model")
    for file in FOLDER.glob("tiny.*"):
        file.unlink()

    def kind(i):
        return 2 if spm.is_unknown(i) else 3 if spm.is_control(i) else 6 if spm.is_byte(i) else 1

    n = spm.vocab_size()
    metadata = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [spm.id_to_piece(i) for i in range(n)],
        "tokenizer.ggml.scores": [spm.get_score(i) for i in range(n)],
        "tokenizer.ggml.token_type": [kind(i) for i in range(n)],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    plain_text = [s for s in SENTENCES if "<s>" not in s]  # SentencePiece knows no special tokens inside a text
    return {"metadata": metadata, "sentences": plain_text, "ids": [spm.encode(s) for s in plain_text],
            "text": [spm.decode(spm.encode(s)) for s in plain_text]}  # fmt: skip


# By folder of test/golden/gguf.
MODELS = {
    "llava": lambda: write_llava(GOLDEN / "variants" / "f32-untied-gqa4", FOLDER / "llava", Q.F32),
    "smolvlm": write_smolvlm,
    "qwen2_vl": lambda: write_qwen("qwen2_vl"),
    "qwen2_5_vl": lambda: write_qwen("qwen2_5_vl"),
    "qwen3_vl": lambda: write_qwen("qwen3_vl"),
    "gemma3": write_gemma3,
    "internvl": write_internvl,
    "llava-next": write_llava_next,
    "lfm2-vl": lambda: write_lfm2_vl("lfm2-vl"),
    "lfm2-5-vl": lambda: write_lfm2_vl("lfm2-5-vl"),
}


def main():
    """Everything, or the folders that are named."""
    wanted = sys.argv[1:]
    for folder in [FOLDER / name for name in wanted] or [FOLDER]:
        shutil.rmtree(folder, ignore_errors=True)
    for name in wanted or MODELS:
        MODELS[name]()
    if wanted:
        return
    golden = GoldenWriter(FOLDER, "golden")
    write_quantised(golden)
    golden.write({"gguf": gguf.GGUFWriter.__module__})
    blocks = GoldenWriter(FOLDER, "blocks")
    write_blocks(blocks)
    blocks.write({})
    text = (ROOT / "HACKING.md").read_text()
    cases = {"sentences": SENTENCES, "bpe": bpe_case(text), "spm": spm_case(text)}
    (FOLDER / "tokenizers.json").write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n")
    for file in sorted(FOLDER.rglob("*.*")):
        print(f"{file.relative_to(FOLDER)}: {file.stat().st_size} bytes")


main()
