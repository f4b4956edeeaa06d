// Downloads against a local server that speaks the hub's protocol, well and badly.
import { randomBytes } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Response } from "undici";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CachedRepository, linkWays } from "../../lib/hub/hub-cache.js";
import { statusError } from "../../lib/hub/hub-error.js";
import type { HubSettings } from "../../lib/hub/hub-settings.js";
import { readHubSettings } from "../../lib/hub/hub-settings.js";
import { type PullOptions, pullModel, pullRepository } from "../../lib/hub/pull-model.js";
import { parseRepositoryName } from "../../lib/hub/repository-name.js";
import { resolveModel } from "../../lib/hub/resolve-model.js";
import { type TransientError, withRetries } from "../../lib/hub/retry.js";
import { HubServer } from "./hub-server.js";

const weights = randomBytes(3 * 2 ** 20);
const files = {
  "config.json": '{"model_type": "llava"}',
  "tokenizer.json": "{}",
  "chat_template.jinja": "",
  "model.safetensors": weights,
  "consolidated.safetensors": "twice the same",
  "pytorch_model.bin": "a pickle",
  "modeling.py": "import os",
  "README.md": "# Model",
};

let server: HubServer;
let cache: string;
beforeEach(async () => {
  server = await HubServer.start(files);
  cache = await mkdtemp(join(tmpdir(), "fovea-pull-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.stop();
  await rm(cache, { recursive: true });
});

const settings = (): HubSettings => ({
  cache,
  endpoint: server.endpoint,
  token: null,
  isOffline: false,
  disableSymlinks: false,
  timeoutMs: 10_000,
  firstPauseMs: 1,
});

function pull(options: PullOptions = {}, changes: Partial<HubSettings> = {}, name = "someone/model"): Promise<string> {
  const repository = parseRepositoryName(name);
  if (repository === null) throw new Error(name);
  return pullRepository(repository, options, { ...settings(), ...changes });
}

/** A storage that breaks off after some bytes of a file, and knows no more of it. */
function beginningOnly(bytes: number): HubServer["fault"] {
  return (request, response, content) => {
    if (!request.url?.startsWith("/signed/")) return false;
    if (request.headers.range !== undefined) response.destroy();
    else
      response
        .writeHead(200, { "content-length": content.length })
        .write(content.subarray(0, bytes), () => response.destroy());
    return true;
  };
}

const folder = () => join(cache, "models--someone--model");
const snapshot = () => join(folder(), "snapshots", server.commit);
const blobs = () => readdir(join(folder(), "blobs"));
const failure = (code: string, message = /./) =>
  expect.objectContaining({ code: `ERR_FOVEA_${code}`, message: expect.stringMatching(message) });

async function expectWeights(): Promise<void> {
  expect((await readFile(join(snapshot(), "model.safetensors"))).equals(weights)).toBe(true);
}

describe("the cache", () => {
  it("is laid out as huggingface_hub lays it out", async () => {
    expect(await pull()).toBe(snapshot());
    const names = ["chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json"];
    expect((await readdir(snapshot())).sort()).toEqual(names);
    expect((await blobs()).sort()).toEqual(names.map((name) => server.etag(name)).sort());
    for (const name of names) {
      expect(await readlink(join(snapshot(), name))).toBe(join("..", "..", "blobs", server.etag(name)));
    }
    expect(await readFile(join(folder(), "refs", "main"), "utf8")).toBe(server.commit);
    await expectWeights();
  });

  it("spares what is there", async () => {
    await pull();
    const before = await stat(join(snapshot(), "model.safetensors"));
    server.seen.length = 0;
    await pull({}, {}, "someone/model@v1/0");
    expect(server.seen.map(({ path }) => path)).toEqual(["/api/models/someone/model/revision/v1%2F0"]);
    expect(await stat(join(snapshot(), "model.safetensors"))).toEqual(before);
    expect(await readFile(join(folder(), "refs", "v1", "0"), "utf8")).toBe(server.commit);
  });

  it("has files in place of links where those are refused", async () => {
    await pull({}, { disableSymlinks: true });
    expect((await lstat(join(snapshot(), "config.json"))).isFile()).toBe(true);
    await expectWeights();
    const refused = async () => {
      throw Object.assign(new Error("not permitted"), { code: "EPERM" });
    };
    const repository = new CachedRepository(cache, { id: "someone/model", revision: "main" });
    const etag = server.etag("config.json");
    await repository.addToSnapshot("other", "config.json", etag, [refused, refused, linkWays.copy]);
    const copy = join(repository.snapshot("other"), "config.json");
    expect(await readFile(copy, "utf8")).toBe(files["config.json"]);
    expect((await stat(copy)).ino).not.toBe((await stat(repository.blob(etag))).ino);
    await expect(repository.addToSnapshot("third", "config.json", etag, [refused])).rejects.toThrow("not permitted");
  });

  it("takes names and checksums from mirrors that list names only", async () => {
    server.hasMetadata = false;
    await pull();
    await expectWeights();
    expect((await blobs()).sort()).toContain(server.etag("config.json"));
    // What a redirect says of a large file is enough.
    expect(server.seen.filter(({ at, method }) => at === "storage" && method === "HEAD")).toEqual([]);
  });

  it("survives two downloads at once", async () => {
    const folders = await Promise.all([pull(), pull(), pull()]);
    expect(folders).toEqual([snapshot(), snapshot(), snapshot()]);
    await expectWeights();
    expect(await blobs()).toHaveLength(4);
  });
});

describe("files", () => {
  it("of an index are those it names", async () => {
    await server.stop();
    const index = JSON.stringify({
      weight_map: { a: "model-1.safetensors", b: "model-2.safetensors", c: "model-1.safetensors" },
    });
    const shards = { "model-1.safetensors": "one", "model-2.safetensors": "two", "model-3.safetensors": "three" };
    server = await HubServer.start({ "config.json": "{}", "model.safetensors.index.json": index, ...shards });
    await pull();
    const names = ["config.json", "model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json"];
    expect((await readdir(snapshot())).sort()).toEqual(names);
  });

  it.each([
    ["MODEL_FORMAT", '{"weight_map": {"a": "missing.safetensors"}}'],
    ["HUB_ANSWER", '{"weight_map": {"a": "../../evil.safetensors"}}'],
    ["HUB_ANSWER", '{"weight_map": {"a": "code.py"}}'],
    ["HUB_ANSWER", '{"weight_map": {}}'],
    ["MODEL_FORMAT", "no JSON"],
  ])("%s: an index of %s", async (code, index) => {
    await server.stop();
    server = await HubServer.start({ "config.json": "{}", "code.py": "", "model.safetensors.index.json": index });
    await expect(pull()).rejects.toThrow(failure(code));
  });

  it("are GGUF files when they are named, and never pickles or code", async () => {
    await server.stop();
    server = await HubServer.start({ "a-Q4_0.gguf": "GGUF", "a-Q8_0.gguf": "GGUF8", "evil.bin": "", "evil.py": "" });
    await expect(pull()).rejects.toThrow(failure("MODEL_UNSUPPORTED", /Name the GGUF model you want.*: "a-Q4_0.gguf"/));
    await pull({ files: ["a-Q8_0.gguf"] });
    expect(await readdir(snapshot())).toEqual(["a-Q8_0.gguf"]);
    for (const name of ["evil.bin", "evil.py", "../evil.gguf", "x/y.gguf"]) {
      await expect(pull({ files: [name] })).rejects.toThrow(failure("INVALID_ARGUMENT", /Cannot pull the file/));
    }
    await expect(pull({ files: ["b.gguf"] })).rejects.toThrow(failure("MODEL_NOT_FOUND", /has no file b.gguf/));
  });

  it("are a GGUF model and its mmproj by the model's variant", async () => {
    await server.stop();
    const names = [
      "a-Q4_K_M.gguf",
      "a-Q4_0.gguf",
      "a-F16.gguf",
      "mmproj-a-Q8_0.gguf",
      "mmproj-a-f16.gguf",
      "x/b-Q4_0.gguf",
    ];
    server = await HubServer.start(Object.fromEntries(names.map((name) => [name, `GGUF ${name}`])));
    vi.stubEnv("HF_HUB_CACHE", cache);
    vi.stubEnv("HF_ENDPOINT", server.endpoint);
    expect(await pull({}, {}, "someone/model:q4_k_m")).toBe(snapshot());
    expect((await readdir(snapshot())).sort()).toEqual(["a-Q4_K_M.gguf", "mmproj-a-f16.gguf"]);
    server.seen.length = 0;
    expect(await resolveModel("someone/model:Q4_K_M")).toBe(join(snapshot(), "a-Q4_K_M.gguf"));
    expect(await pull({}, { isOffline: true }, "someone/model:Q4_K_M")).toBe(snapshot());
    expect(server.seen).toEqual([]);
    await expect(pull({}, { isOffline: true }, "someone/model:Q4_0")).rejects.toThrow(failure("OFFLINE"));
    expect(await resolveModel("someone/model:Q4_0@main")).toBe(join(snapshot(), "a-Q4_0.gguf"));
    for (const variant of ["Q4", "Q8_0", "K"]) {
      await expect(pull({}, {}, `someone/model:${variant}`)).rejects.toThrow(failure("MODEL_NOT_FOUND", /a-Q4_K_M/));
    }
    for (const name of ["someone/model:", "someone/model:a:b", "someone/model:../x", "a:b/c"]) {
      expect(parseRepositoryName(name), name).toBeNull();
    }
  });
});

describe("broken connections", () => {
  it("are taken up where they broke", async () => {
    const piece = 2 ** 20 + 4096;
    server.fault = (request, response, content) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (!request.url?.startsWith("/signed/") || content.length - start <= piece) return false;
      response.writeHead(start > 0 ? 206 : 200, {
        "content-length": content.length - start,
        ...(start > 0 && { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }),
      });
      response.write(content.subarray(start, start + piece), () => response.destroy());
      return true;
    };
    await pull();
    await expectWeights();
    const starts = server
      .gets("model.safetensors")
      .filter(({ at }) => at === "storage")
      .map(({ range }) => range);
    expect(starts.length).toBeGreaterThan(2);
    expect(starts[0]).toBeUndefined();
    const numbers = starts.slice(1).map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(numbers[0]).toBeGreaterThan(0);
    expect(await blobs()).toHaveLength(4);
  });

  it("without end are an error, and what came is kept for the next time", async () => {
    const half = weights.length / 2;
    server.fault = beginningOnly(half);
    await expect(pull()).rejects.toThrow(failure("NETWORK", /Tried 5 times/));
    const [partial] = (await blobs()).filter((name) => name.endsWith(".incomplete"));
    const { size } = await stat(join(folder(), "blobs", partial ?? ""));
    expect(size).toBeGreaterThan(0);
    await expect(stat(snapshot())).rejects.toThrow("ENOENT");
    server.fault = () => false;
    server.seen.length = 0;
    const seen: number[] = [];
    await pull({ onProgress: ({ bytes }) => seen.push(bytes) });
    await expectWeights();
    expect(server.gets("model.safetensors").map(({ range }) => range)).toEqual([`bytes=${size}-`, `bytes=${size}-`]);
    expect(await blobs()).toHaveLength(4);
    const total = weights.length + files["config.json"].length + files["tokenizer.json"].length;
    expect(seen.at(-1)).toBe(total);
  });

  it("that fall silent are given up", async () => {
    let silences = 0;
    server.fault = (request, response, content) => {
      if (!request.url?.startsWith("/signed/") || silences++ > 0) return false;
      response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 1000));
      return true;
    };
    await pull({}, { timeoutMs: 500 });
    await expectWeights();
    expect(silences).toBeGreaterThan(1);
  });

  it("are not resumed by servers that know no ranges", async () => {
    let answers = 0;
    server.fault = (request, response, content) => {
      if (!request.url?.startsWith("/signed/")) return false;
      answers += 1;
      response.writeHead(200, { "content-length": content.length });
      if (answers === 1) response.write(content.subarray(0, 1e6), () => response.destroy());
      else response.end(content);
      return true;
    };
    await pull();
    await expectWeights();
    expect(answers).toBe(2);
  });

  it("are an error when each begins anew and none gets to the end", async () => {
    server.fault = (request, response, content) => {
      if (!request.url?.startsWith("/signed/")) return false;
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 2 ** 21), () => response.destroy());
      return true;
    };
    await expect(pull()).rejects.toThrow(failure("NETWORK", /Tried 5 times/));
  });

  it("of a process that was killed are taken up, and a living one's file is left alone", async () => {
    // A partial file as a process leaves it that was killed: its name says who that was.
    server.fault = beginningOnly(1e6);
    await expect(pull()).rejects.toThrow(failure("NETWORK"));
    const [partial = ""] = (await blobs()).filter((name) => name.endsWith(".incomplete"));
    const as = (pid: number) => join(folder(), "blobs", partial.replace(/-0-(?=[0-9a-f]{8}\.)/, `-${pid}-`));
    const deadPid = 2 ** 22 + 1; // Above what Linux gives.
    await rename(join(folder(), "blobs", partial), as(deadPid));
    await writeFile(as(process.ppid), "somebody else's");
    server.fault = () => false;
    server.seen.length = 0;
    // The living owner has got nothing for longer than anyone waits.
    await pull({}, { timeoutMs: 500 });
    await expectWeights();
    expect(server.gets("model.safetensors")[0]?.range).toMatch(/^bytes=[1-9]/);
    expect(await readFile(as(process.ppid), "utf8")).toBe("somebody else's");
  });
});

describe("checksums", () => {
  const damage = (times: number) => {
    let damaged = 0;
    server.fault = (request, response, content) => {
      if (!request.url?.startsWith("/signed/") || damaged++ >= times) return false;
      const bad = Buffer.from(content);
      bad[1000] = ~(bad[1000] ?? 0);
      response.end(bad);
      return true;
    };
  };

  it("that are wrong once are fetched again", async () => {
    damage(1);
    await pull();
    await expectWeights();
  });

  it("that are wrong twice are an error, and nothing of the file stays", async () => {
    damage(2);
    await expect(pull()).rejects.toThrow(failure("CHECKSUM", /is not the file it should be/));
    expect((await blobs()).some((name) => name.startsWith(server.etag("model.safetensors")))).toBe(false);
    await expect(stat(snapshot())).rejects.toThrow("ENOENT");
  });

  it("of small files are git's", async () => {
    server.fault = (request, response) => {
      if (!request.url?.endsWith("/tokenizer.json")) return false;
      response.end("[]");
      return true;
    };
    await expect(pull()).rejects.toThrow(failure("CHECKSUM", /tokenizer.json/));
  });

  it("do not excuse more bytes than a file has", async () => {
    server.fault = (request, response) => {
      if (!request.url?.endsWith("/tokenizer.json")) return false;
      response.end("{}{}");
      return true;
    };
    await expect(pull()).rejects.toThrow(failure("HUB_ANSWER", /more than the 2 bytes/));
  });
});

describe("the token", () => {
  it("goes to the hub, and not where that redirects to", async () => {
    await pull({}, { token: "hf_secret" });
    const sent = (at: string) => [...new Set(server.seen.filter((s) => s.at === at).map((s) => s.authorization))];
    expect(sent("hub")).toEqual(["Bearer hf_secret"]);
    expect(sent("storage")).toEqual([undefined]);
  });

  it("comes from the usual places", async () => {
    await writeFile(join(cache, "token"), "from-file\n");
    const token = async (env: NodeJS.ProcessEnv) => (await readHubSettings({ HF_HOME: cache, ...env })).token;
    expect(await token({})).toBe("from-file");
    expect(await token({ HUGGING_FACE_HUB_TOKEN: "old" })).toBe("old");
    expect(await token({ HUGGING_FACE_HUB_TOKEN: "old", HF_TOKEN: " new " })).toBe("new");
    expect(await token({ HF_TOKEN_PATH: join(cache, "none") })).toBeNull();
    expect(await token({ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" })).toBeNull();
    await expect(token({ HF_TOKEN: "two\nlines" })).rejects.toThrow(failure("INVALID_ARGUMENT", /characters/));
  });

  it("and the other settings are huggingface_hub's", async () => {
    const { cache: path, endpoint } = await readHubSettings({ XDG_CACHE_HOME: "/x" });
    expect([path, endpoint]).toEqual([join("/x", "huggingface", "hub"), "https://huggingface.co"]);
    expect(
      await readHubSettings({ HF_HUB_CACHE: "/c", HF_ENDPOINT: "https://mirror/hf/", HF_HUB_OFFLINE: "yes" }),
    ).toMatchObject({
      cache: "/c",
      endpoint: "https://mirror/hf",
      isOffline: true,
    });
    expect(await readHubSettings({ TRANSFORMERS_OFFLINE: "1" })).toMatchObject({ isOffline: true });
    for (const HF_ENDPOINT of ["mirror", "file:///x", "https://user:word@mirror"]) {
      await expect(readHubSettings({ HF_ENDPOINT })).rejects.toThrow(failure("INVALID_ARGUMENT", /HF_ENDPOINT/));
    }
  });
});

describe("a proxy", () => {
  it("is asked for the hub, not for what NO_PROXY names, and may fail", async () => {
    const asked: string[] = [];
    const proxy = createServer().on("connect", ({ url = "" }, socket: Socket) => {
      asked.push(url);
      const hub = connect(Number(new URL(server.endpoint).port), "127.0.0.1");
      hub.on("connect", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
      hub.pipe(socket).pipe(hub);
      for (const end of [hub, socket]) end.on("error", () => {});
    });
    await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
    vi.stubEnv("HTTP_PROXY", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    vi.stubEnv("NO_PROXY", "127.0.0.1"); // where the storage is
    await pull({}, { endpoint: "http://hub.invalid" });
    await expectWeights();
    expect(new Set(asked)).toEqual(new Set(["hub.invalid:80"]));
    await new Promise((done) => {
      proxy.close(done);
      proxy.closeAllConnections();
    });
    await rm(cache, { recursive: true });
    await expect(pull({}, { endpoint: "http://hub.invalid" })).rejects.toThrow(failure("NETWORK", /No connection/));
    await mkdir(cache);
  });
});

describe("refusals", () => {
  const answer = (status: number, headers: Record<string, string> = {}, times = Number.POSITIVE_INFINITY) => {
    let given = 0;
    server.fault = (_, response) => {
      if (given++ >= times) return false;
      response.writeHead(status, headers).end("<html>");
      return true;
    };
  };

  it.each([
    [
      401,
      { "x-error-code": "GatedRepo" },
      "HUB_ACCESS",
      /gated: accept its conditions at .*\/someone\/model\. A token is given by HF_TOKEN/,
    ],
    [403, { "x-error-code": "GatedRepo" }, "HUB_ACCESS", /gated/],
    [401, { "x-error-message": "Invalid credentials in Authorization header" }, "HUB_ACCESS", /Invalid credentials/],
    [403, {}, "HUB_ACCESS", /refuses someone\/model \(403\)/],
    [401, { "x-error-code": "RepoNotFound" }, "MODEL_NOT_FOUND", /or it is private/],
    [404, {}, "MODEL_NOT_FOUND", /There is no someone\/model/],
    [404, { "x-error-code": "RevisionNotFound" }, "MODEL_NOT_FOUND", /no revision "main"/],
    [418, {}, "HUB_ANSWER", /answers 418/],
    [200, {}, "HUB_ANSWER", /no list of files/],
    [302, { location: "ftp://elsewhere/" }, "HUB_ANSWER", /no safe address/],
    [302, { location: "/round" }, "HUB_ANSWER", /without end/],
    [429, { "retry-after": "0" }, "NETWORK", /too many requests. Tried 5 times/],
    [503, {}, "NETWORK", /answers 503/],
  ])("%i %j: %s", async (status, headers, code, message) => {
    answer(status, headers as Record<string, string>);
    await expect(pull()).rejects.toThrow(failure(code, message));
    if (code === "NETWORK") expect(server.seen).toHaveLength(5);
  });

  it("that pass are waited for", async () => {
    answer(429, { "retry-after": "0" }, 1);
    await pull();
    answer(500, {}, 3);
    await pull();
  });

  it("say how long to wait, and that is waited", async () => {
    const refusal = (value: string) => {
      const response = new Response(null, { status: 429, headers: { "retry-after": value } });
      return statusError(response, new URL(server.endpoint), true, { id: "a/b", revision: "main" }, settings());
    };
    expect(refusal("7")).toMatchObject({ pauseMs: 7000 });
    expect((refusal("Fri, 01 Jan 2100 00:00:00 GMT") as TransientError).pauseMs).toBeGreaterThan(1e9);
    for (const past of ["Fri, 01 Jan 1999 00:00:00 GMT", "soon"]) expect(refusal(past)).toMatchObject({ pauseMs: 0 });
    // Pauses of a millisecond would be over before the signal: five attempts, and another error.
    const controller = new AbortController();
    let attempts = 0;
    const attempt = async () => {
      attempts += 1;
      setTimeout(() => controller.abort(new Error("long enough")), 300);
      throw refusal("7");
    };
    await expect(withRetries(attempt, settings(), controller.signal)).rejects.toThrow("long enough");
    expect(attempts).toBe(1);
  });

  it("of a signed address that has expired lead to a new one", async () => {
    let refused = 0;
    server.fault = (request, response) => {
      if (!request.url?.startsWith("/signed/") || refused++ > 0) return false;
      response.writeHead(403).end();
      return true;
    };
    await pull();
    await expectWeights();
  });

  it("say that nobody listens", async () => {
    const other = await HubServer.start({});
    const { endpoint } = other;
    await other.stop();
    await expect(pull({}, { endpoint })).rejects.toThrow(failure("NETWORK", /No connection to http/));
  });

  const listing = (value: unknown) => {
    server.fault = (request, response) => {
      if (!request.url?.startsWith("/api/")) return false;
      response.end(typeof value === "string" ? value : JSON.stringify(value));
      return true;
    };
  };

  it("bound what a server says", async () => {
    const { commit: sha } = server;
    listing(`"${"x".repeat(9 * 2 ** 20)}"`);
    await expect(pull()).rejects.toThrow(failure("HUB_ANSWER", /more than 8388608 bytes/));
    listing({ sha: "../../..", siblings: [] });
    await expect(pull()).rejects.toThrow(failure("HUB_ANSWER"));
    listing({ sha, siblings: [{ rfilename: 7 }] });
    await expect(pull()).rejects.toThrow(failure("HUB_ANSWER"));
    const shard = (i: number) => ({
      rfilename: `${i}.gguf`,
      size: 2 ** 42,
      lfs: { sha256: `${1e9 + i}`.padStart(64, "0"), size: 2 ** 42 },
    });
    const siblings = Array.from({ length: 1000 }, (_, i) => shard(i));
    listing({ sha, siblings });
    await expect(pull({ files: siblings.map((s) => s.rfilename) })).rejects.toThrow(failure("DISK", /GB needed/));
    // A checksum becomes a file name, so it must be one; without, the file's own headers have to say it.
    listing({ sha, siblings: [{ rfilename: "x.gguf", size: 1, lfs: { sha256: "../../../x", size: 1 } }] });
    await expect(pull({ files: ["x.gguf"] })).rejects.toThrow(failure("MODEL_NOT_FOUND"));
    expect(await readdir(cache)).toEqual([]);
  });

  it("of the file system name the folder", async () => {
    const file = join(cache, "file");
    await writeFile(file, "");
    await expect(pull({}, { cache: join(file, "cache") })).rejects.toThrow(failure("DISK", /set HF_HOME/));
  });
});

describe("pulling", () => {
  it("stops when it is told to, and goes on later", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    server.fault = (request, response, content) => {
      if (!request.url?.startsWith("/signed/")) return false;
      response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 2e6));
      return true;
    };
    const onProgress = ({ bytes }: { bytes: number }) => bytes > 1e6 && controller.abort(reason);
    await expect(pull({ onProgress, signal: controller.signal })).rejects.toBe(reason);
    server.fault = () => false;
    server.seen.length = 0;
    await pull();
    expect(server.gets("model.safetensors")[0]?.range).toMatch(/^bytes=[1-9]/);
    await expectWeights();
    await expect(pull({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("offline: the cache, or an error", async () => {
    await expect(pull({}, { isOffline: true })).rejects.toThrow(failure("OFFLINE", /HF_HUB_OFFLINE/));
    expect(server.seen).toEqual([]);
    await pull();
    server.seen.length = 0;
    expect(await pull({}, { isOffline: true })).toBe(snapshot());
    expect(server.seen).toEqual([]);
  });

  it("reads the environment, and refuses other arguments", async () => {
    vi.stubEnv("HF_HUB_CACHE", cache);
    vi.stubEnv("HF_ENDPOINT", server.endpoint);
    vi.stubEnv("HF_HUB_OFFLINE", "");
    expect(await pullModel("someone/model")).toBe(snapshot());
    for (const name of ["model", "a/b/c", "a/b@", "a/b@../c", "-a/b", "", undefined]) {
      await expect(pullModel(name as string)).rejects.toThrow(failure("INVALID_ARGUMENT", /names no repository/));
    }
    await expect(pullModel("a/b", { files: "x" as never })).rejects.toThrow(failure("INVALID_ARGUMENT"));
  });
});
