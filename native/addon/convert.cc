#include "addon/convert.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "addon/fields.h"

namespace fovea {
namespace {

std::vector<ImageInput> to_images(const Napi::Array& array) {
  std::vector<ImageInput> images;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i);
    if (!value.IsObject()) refuse_field("images", "an array of objects");
    const auto object = value.As<Napi::Object>();
    images.push_back({typed_array_field<float>(object, "pixels", napi_float32_array, "a Float32Array"),
                      int_field(object, "width"), int_field(object, "height"), string_field(object, "key")});
    if (object.Has("picture")) {
      const Napi::Object picture = object_field(object, "picture");
      images.back().picture = {int_field(picture, "width"), int_field(picture, "height")};
    }
    if (object.Has("video")) {
      const Napi::Object video = object_field(object, "video");
      images.back().frames = int_field(video, "frames");
      images.back().seconds = number_field(video, "seconds");
    }
  }
  return images;
}

// Numbers beyond an int stay out of range instead of wrapping around into it.
int saturated(int64_t value) {
  return static_cast<int>(std::clamp<int64_t>(value, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

template <typename T>
Napi::Value to_typed_array(Napi::Env env, const std::vector<T>& data) {
  auto array = Napi::TypedArrayOf<T>::New(env, data.size());
  std::copy(data.begin(), data.end(), array.Data());
  return array;
}

Napi::Array to_js(Napi::Env env, const std::vector<StageReport::Layer>& layers) {
  auto array = Napi::Array::New(env, layers.size());
  for (uint32_t i = 0; i < layers.size(); ++i) {
    auto entry = Napi::Object::New(env);
    entry.Set("rowsIn", static_cast<double>(layers[i].rows_in));
    entry.Set("rowsOut", static_cast<double>(layers[i].rows_out));
    if (!layers[i].kept.empty()) {
      auto kept = Napi::Array::New(env, layers[i].kept.size());
      for (uint32_t head = 0; head < layers[i].kept.size(); ++head)
        kept.Set(head, to_typed_array(env, layers[i].kept[head]));
      entry.Set("kept", kept);
    }
    array.Set(i, entry);
  }
  return array;
}

Napi::Object to_js(Napi::Env env, const StageReport::Image& image, bool keep_list) {
  auto object = Napi::Object::New(env);
  object.Set("rowsIn", static_cast<double>(image.rows_in));
  object.Set("rowsOut", static_cast<double>(image.rows_out));
  if (keep_list) object.Set("kept", to_typed_array(env, image.kept));
  return object;
}

Napi::Array to_js(Napi::Env env, const std::vector<StageReport>& stages) {
  auto array = Napi::Array::New(env, stages.size());
  for (uint32_t s = 0; s < stages.size(); ++s) {
    const StageReport& stage = stages[s];
    auto object = Napi::Object::New(env);
    object.Set("name", stage.name);
    object.Set("hook", stage.hook);
    if (stage.layer >= 0) object.Set("layer", stage.layer);
    auto images = Napi::Array::New(env, stage.images.size());
    for (uint32_t i = 0; i < stage.images.size(); ++i) images.Set(i, to_js(env, stage.images[i], stage.keep_lists));
    object.Set("images", images);
    if (!stage.layers.empty()) object.Set("layers", to_js(env, stage.layers));
    if (stage.text) object.Set("text", to_js(env, *stage.text, stage.keep_lists));
    array.Set(s, object);
  }
  return array;
}

Napi::Array to_js(Napi::Env env, const std::vector<SampledToken>& tokens, bool logprobs) {
  auto array = Napi::Array::New(env, tokens.size());
  for (uint32_t t = 0; t < tokens.size(); ++t) {
    auto token = Napi::Object::New(env);
    token.Set("id", tokens[t].id);
    if (logprobs) {
      token.Set("logprob", tokens[t].logprob);
      auto top = Napi::Array::New(env, tokens[t].top.size());
      for (uint32_t i = 0; i < tokens[t].top.size(); ++i) {
        auto alternative = Napi::Object::New(env);
        alternative.Set("id", tokens[t].top[i].id);
        alternative.Set("logprob", tokens[t].top[i].logprob);
        top.Set(i, alternative);
      }
      token.Set("top", top);
    }
    array.Set(t, token);
  }
  return array;
}

Napi::Array shape_to_js(Napi::Env env, const std::vector<int64_t>& shape) {
  auto array = Napi::Array::New(env, shape.size());
  for (uint32_t i = 0; i < shape.size(); ++i) array.Set(i, static_cast<double>(shape[i]));
  return array;
}

Napi::Object to_js(Napi::Env env, const DraftReport& draft) {
  auto object = Napi::Object::New(env);
  object.Set("verifySteps", static_cast<double>(draft.verify_steps));
  object.Set("drafted", static_cast<double>(draft.drafted));
  object.Set("accepted", static_cast<double>(draft.accepted));
  auto skipped = Napi::Array::New(env);
  for (size_t layer = 0; layer < draft.run.size(); ++layer) {
    const std::pair<const char*, bool> parts[] = {{"attention", draft.run[layer].attention},
                                                  {"ffn", draft.run[layer].ffn}};
    for (const auto& [part, runs] : parts) {
      if (runs) continue;
      auto entry = Napi::Object::New(env);
      entry.Set("layer", static_cast<double>(layer));
      entry.Set("part", part);
      skipped.Set(skipped.Length(), entry);
    }
  }
  object.Set("skipped", skipped);
  object.Set("proposals", static_cast<double>(draft.proposals));
  object.Set("score", draft.score);
  return object;
}

Napi::Object to_js(Napi::Env env, const EndReport& report) {
  auto end = Napi::Object::New(env);
  end.Set("finishReason", report.finish_reason);
  end.Set("promptRows", static_cast<double>(report.prompt_rows));
  end.Set("cachedImages", static_cast<double>(report.cached_images));
  end.Set("cachedRows", static_cast<double>(report.cached_rows));
  end.Set("visualRows", static_cast<double>(report.visual_rows));
  end.Set("generatedTokens", static_cast<double>(report.generated_tokens));
  end.Set("stages", to_js(env, report.stages));
  auto timings = Napi::Object::New(env);
  timings.Set("queue", report.timings.queue);
  timings.Set("encode", report.timings.encode);
  timings.Set("prefill", report.timings.prefill);
  timings.Set("decode", report.timings.decode);
  timings.Set("select", report.timings.select);
  end.Set("timings", timings);
  end.Set("kvRows", to_typed_array(env, report.kv_rows));
  if (report.draft) end.Set("draft", to_js(env, *report.draft));
  if (report.exit) end.Set("exitTokens", to_typed_array(env, report.exit->tokens));
  return end;
}

// Sums over rows as (n_layers, kinds of rows, parts, [cosine, contribution]) and the rows as (n_layers, kinds).
Napi::Object to_js(Napi::Env env, DepthReport&& depth) {
  std::vector<double> sums;
  std::vector<int32_t> rows;
  for (const DepthReport::Layer& layer : depth.layers) {
    for (int kind = 0; kind < DepthReport::kKinds; ++kind) {
      rows.push_back(static_cast<int32_t>(layer.rows[kind]));
      for (const DepthReport::Change& sum : layer.sums[kind]) sums.insert(sums.end(), {sum.cosine, sum.contribution});
    }
  }
  auto object = Napi::Object::New(env);
  object.Set("sums", to_typed_array(env, sums));
  object.Set("rows", to_typed_array(env, rows));
  object.Set("lastRow", to_float32_array(env, std::move(depth.last_row)));
  return object;
}

Napi::Object to_js(Napi::Env env, ForwardReport&& report) {
  auto result = Napi::Object::New(env);
  result.Set("shape", shape_to_js(env, report.logits.shape));
  result.Set("logits", to_float32_array(env, std::move(report.logits.data)));
  result.Set("hiddenShape", shape_to_js(env, report.last_hidden.shape));
  result.Set("lastHidden", to_float32_array(env, std::move(report.last_hidden.data)));
  auto rows = Napi::Array::New(env, report.rows.size());
  for (uint32_t i = 0; i < report.rows.size(); ++i) rows.Set(i, to_typed_array(env, report.rows[i]));
  result.Set("rows", rows);
  if (!report.vision_features.shape.empty()) {
    result.Set("visionShape", shape_to_js(env, report.vision_features.shape));
    result.Set("visionFeatures", to_float32_array(env, std::move(report.vision_features.data)));
    result.Set("projectedShape", shape_to_js(env, report.projected.shape));
    result.Set("projected", to_float32_array(env, std::move(report.projected.data)));
  }
  auto stages = Napi::Array::New(env, report.stages.size());
  for (uint32_t i = 0; i < report.stages.size(); ++i) stages.Set(i, to_js(env, report.stages[i]));
  result.Set("stages", stages);
  if (!report.depth.empty()) {
    auto depth = Napi::Array::New(env, report.depth.size());
    for (uint32_t i = 0; i < report.depth.size(); ++i) depth.Set(i, to_js(env, std::move(report.depth[i])));
    result.Set("depth", depth);
  }
  return result;
}

}  // namespace

Napi::Error to_js_error(Napi::Env env, ErrorCode code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Value().Set("code", code_name(code));
  return error;
}

GenerateRequest to_generate_request(const Napi::Object& object) {
  GenerateRequest request;
  request.input_ids = typed_array_field<int32_t>(object, "inputIds", napi_int32_array, "an Int32Array");
  request.images = to_images(array_field(object, "images"));
  request.plan = string_field(object, "plan");
  const Napi::Object sampling = object_field(object, "sampling");
  request.sampling.temperature = static_cast<float>(number_field(sampling, "temperature"));
  request.sampling.top_k = saturated(int_field(sampling, "topK"));
  request.sampling.top_p = static_cast<float>(number_field(sampling, "topP"));
  request.sampling.min_p = static_cast<float>(number_field(sampling, "minP"));
  request.sampling.repetition_penalty = static_cast<float>(number_field(sampling, "repetitionPenalty"));
  request.sampling.seed = static_cast<uint64_t>(int_field(sampling, "seed"));
  request.sampling.logprobs = saturated(int_field(sampling, "logprobs"));
  request.max_tokens = int_field(object, "maxTokens");
  request.stop_ids = typed_array_field<int32_t>(object, "stopIds", napi_int32_array, "an Int32Array");
  request.keep_lists = bool_field(object, "keepLists");
  request.reuse = bool_field(object, "reuse");
  return request;
}

ForwardRequest to_forward_request(const Napi::Object& object) {
  ForwardRequest request;
  request.input_ids = typed_array_field<int32_t>(object, "inputIds", napi_int32_array, "an Int32Array");
  request.attention_mask = typed_array_field<uint8_t>(object, "attentionMask", napi_uint8_array, "a Uint8Array");
  request.batch = int_field(object, "batch");
  request.images = to_images(array_field(object, "images"));
  request.plan = string_field(object, "plan");
  request.logits_to_keep = int_field(object, "logitsToKeep");
  if (request.logits_to_keep < 0) refuse_field("logits_to_keep", "an integer of at least 0");
  request.taps = bool_field(object, "taps");
  request.depth = bool_field(object, "depth");
  request.keep_lists = bool_field(object, "keepLists");
  return request;
}

PreprocessSpec to_preprocess_spec(const Napi::Object& object) {
  PreprocessSpec spec;
  if (object.Get("resize").IsObject()) {
    const Napi::Object resize = object_field(object, "resize");
    spec.resize = {int_field(resize, "width"), int_field(resize, "height")};
  }
  spec.filter = parse_filter(string_field(object, "filter"));
  const Napi::Object window = object_field(object, "window");
  spec.window = {int_field(window, "left"), int_field(window, "top"), int_field(window, "width"),
                 int_field(window, "height")};
  for (const auto& [key, values] : {std::pair("scale", &spec.scale), std::pair("offset", &spec.offset)}) {
    const Napi::Array array = array_field(object, key);
    if (array.Length() != values->size()) refuse_field(key, "three numbers");
    for (uint32_t i = 0; i < values->size(); ++i) {
      const Napi::Value value = array.Get(i);
      if (!value.IsNumber()) refuse_field(key, "three numbers");
      (*values)[i] = value.As<Napi::Number>().FloatValue();
    }
  }
  return spec;
}

Napi::Float32Array to_float32_array(Napi::Env env, std::vector<float>&& data) {
  const size_t count = data.size();
  if (count == 0) return Napi::Float32Array::New(env, 0);
  auto owner = std::make_unique<std::vector<float>>(std::move(data));
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, owner->data(), count * sizeof(float),
      [](node_api_nogc_env, void*, void* hint) { delete static_cast<std::vector<float>*>(hint); }, owner.get(),
      &buffer);
  if (status == napi_ok) {
    static_cast<void>(owner.release());  // the finalizer deletes it
    return Napi::Float32Array::New(env, count, Napi::ArrayBuffer(env, buffer), 0);
  }
  auto copy = Napi::Float32Array::New(env, count);  // Electron refuses external memory
  std::copy(owner->begin(), owner->end(), copy.Data());
  return copy;
}

namespace {

Napi::Object to_js(Napi::Env env, AskReport&& ask) {
  RowQuestion& question = ask.question;
  auto object = Napi::Object::New(env);
  object.Set("use", question.use);
  object.Set("scores", question.scores);
  object.Set("image", question.image);
  if (ask.layer >= 0) object.Set("layer", ask.layer);
  object.Set("columns", static_cast<double>(ask.raster.columns));
  if (ask.raster.grid_columns > 0) {
    auto grid = Napi::Object::New(env);
    grid.Set("first", static_cast<double>(ask.raster.grid_first));
    grid.Set("columns", static_cast<double>(ask.raster.grid_columns));
    object.Set("grid", grid);
  }
  if (ask.raster.moments > 1) object.Set("momentRows", static_cast<double>(ask.raster.moment_rows));
  object.Set("width", static_cast<double>(question.width));
  object.Set("rows", to_float32_array(env, std::move(question.rows)));
  object.Set("places", to_typed_array(env, question.places));
  object.Set("text", to_float32_array(env, std::move(question.text)));
  return object;
}

}  // namespace

Napi::Object to_js(Napi::Env env, Event&& event) {
  auto object = Napi::Object::New(env);
  object.Set("request", static_cast<double>(event.request));
  if (auto* tokens = std::get_if<TokensReport>(&event.body)) {
    object.Set("kind", "tokens");
    object.Set("tokens", to_js(env, tokens->tokens, tokens->logprobs));
  } else if (auto* end = std::get_if<EndReport>(&event.body)) {
    object.Set("kind", "end");
    object.Set("end", to_js(env, *end));
  } else if (auto* forward = std::get_if<ForwardReport>(&event.body)) {
    object.Set("kind", "forward");
    object.Set("result", to_js(env, std::move(*forward)));
  } else if (auto* ask = std::get_if<AskReport>(&event.body)) {
    object.Set("kind", "ask");
    object.Set("ask", to_js(env, std::move(*ask)));
  } else if (auto* progress = std::get_if<ProgressReport>(&event.body)) {
    object.Set("kind", "progress");
    object.Set("fraction", progress->fraction);
  } else {
    const auto& error = std::get<ErrorReport>(event.body);
    object.Set("kind", "error");
    object.Set("code", code_name(error.code));
    object.Set("message", error.message);
  }
  return object;
}

Napi::Object to_js(Napi::Env env, const Model& model) {
  const DecoderConfig& decoder = model.decoder->config();
  const TowerFacts tower = model.tower->facts();
  auto info = Napi::Object::New(env);
  info.Set("family", model.family);
  info.Set("dtype", model.dtype);
  info.Set("tier", model.ops->tier());
  info.Set("threads", model.ops->threads());
  info.Set("parameters", static_cast<double>(model.parameters));
  info.Set("weightBytes", static_cast<double>(model.weight_bytes));
  if (model.packed_cache) {
    const PackedCache::State state = model.packed_cache->state();
    info.Set("weightCache", state == PackedCache::State::kRead      ? "read"
                            : state == PackedCache::State::kWritten ? "written"
                                                                    : "failed");
  }
  info.Set("contextLength", static_cast<double>(decoder.context));
  info.Set("vocabSize", static_cast<double>(decoder.vocab));
  info.Set("nLayers", decoder.n_layers);
  info.Set("dModel", static_cast<double>(decoder.d_model));
  info.Set("nHeads", static_cast<double>(decoder.n_heads));
  info.Set("nKvHeads", static_cast<double>(decoder.n_kv_heads));
  info.Set("dHead", static_cast<double>(decoder.d_head));
  info.Set("dFf", static_cast<double>(decoder.d_ff));
  if (!decoder.convolves.empty()) {
    auto layers = Napi::Array::New(env);
    for (int layer = 0; layer < decoder.n_layers; ++layer)
      if (decoder.does_convolve(layer)) layers.Set(layers.Length(), layer);
    info.Set("convLayers", layers);
  }
  auto vision = Napi::Object::New(env);
  vision.Set("nLayers", tower.n_layers);
  vision.Set("dModel", static_cast<double>(tower.d_model));
  vision.Set("nHeads", static_cast<double>(tower.n_heads));
  vision.Set("dFf", static_cast<double>(tower.d_ff));
  vision.Set("rows", static_cast<double>(tower.rows));
  vision.Set("imageSize", static_cast<double>(tower.image_size));
  vision.Set("patchSize", static_cast<double>(tower.patch_size));
  vision.Set("hasClassRow", tower.has_class_row);
  vision.Set("frames", static_cast<double>(tower.frames));
  vision.Set("isPrunable", model.prunes_in_tower());
  info.Set("tower", vision);
  info.Set("projectorMacsPerRow", static_cast<double>(model.projector->macs_per_row()));
  info.Set("imageRows", static_cast<double>(model.image_rows));
  info.Set("imageTokenId", model.image_token);
  if (model.video_token) info.Set("videoTokenId", *model.video_token);
  return info;
}

}  // namespace fovea
