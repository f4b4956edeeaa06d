import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How one answer goes wrong. Called for every request to the hub or its storage before the ordinary answer. */
export type Fault = (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean;

/** A request as the servers saw it. */
export interface Seen {
  at: "hub" | "storage";
  method: string;
  path: string;
  authorization: string | undefined;
  range: string | undefined;
}

/** A hub with one repository, someone/model, and the storage on another port to which it sends for large files. */
export class HubServer {
  readonly commit = "0123456789abcdef0123456789abcdef01234567";
  readonly seen: Seen[] = [];
  /** Answers requests of its own when it returns true. */
  fault: Fault = () => false;
  /** As of a mirror that lists names only. */
  hasMetadata = true;
  readonly #files: Map<string, Buffer>;
  readonly #hub = createServer((request, response) => this.#serve("hub", request, response));
  readonly #storage = createServer((request, response) => this.#serve("storage", request, response));

  private constructor(files: Record<string, Buffer | string>) {
    this.#files = new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)]));
  }

  static async start(files: Record<string, Buffer | string>): Promise<HubServer> {
    const server = new HubServer(files);
    await Promise.all([listen(server.#hub), listen(server.#storage)]);
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${port(this.#hub)}`;
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  /** Requests for a file's content. */
  gets(name: string): Seen[] {
    return this.seen.filter(({ method, path }) => method === "GET" && path.split("/").at(-1) === name);
  }

  etag(name: string): string {
    const content = this.#content(name);
    return isLarge(name)
      ? createHash("sha256").update(content).digest("hex")
      : createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
  }

  #content(name: string): Buffer {
    const content = this.#files.get(name);
    if (content === undefined) throw new Error(`no file ${name}`);
    return content;
  }

  #serve(at: Seen["at"], request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    const { authorization, range } = request.headers;
    this.seen.push({ at, method: request.method ?? "", path: pathname, authorization, range });
    const name = decodeURIComponent(pathname.split("/").at(-1) ?? "");
    const content = this.#files.get(name);
    if (this.fault(request, response, content ?? Buffer.alloc(0))) return;
    const base = "/someone/model";
    if (at === "hub" && [`/api/models${base}/revision/main`, `/api/models${base}/revision/v1%2F0`].includes(pathname)) {
      sendJson(response, { sha: this.commit, siblings: [...this.#files.keys()].map((file) => this.#sibling(file)) });
    } else if (content !== undefined && at === "storage") {
      sendContent(request, response, content);
    } else if (content !== undefined && pathname.startsWith(`${base}/resolve/${this.commit}/`)) {
      response.setHeader("x-repo-commit", this.commit);
      if (isLarge(name)) {
        response.writeHead(302, {
          location: `http://127.0.0.1:${port(this.#storage)}/signed/${name}`,
          "x-linked-etag": `"${this.etag(name)}"`,
          "x-linked-size": content.length,
        });
        response.end();
      } else {
        response.setHeader("etag", `W/"${this.etag(name)}"`);
        sendContent(request, response, content);
      }
    } else {
      response.writeHead(404, { "x-error-code": pathname.startsWith("/api") ? "RepoNotFound" : "EntryNotFound" }).end();
    }
  }

  #sibling(rfilename: string): unknown {
    if (!this.hasMetadata) return { rfilename };
    const size = this.#content(rfilename).length;
    if (!isLarge(rfilename)) return { rfilename, size, blobId: this.etag(rfilename) };
    return { rfilename, size, blobId: "0".repeat(40), lfs: { sha256: this.etag(rfilename), size, pointerSize: 134 } };
  }
}

/** What a hub keeps in its storage. */
function isLarge(name: string): boolean {
  return /\.(safetensors|gguf|bin)$/.test(name);
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json").end(JSON.stringify(value));
}

function sendContent(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (request.headers.range !== undefined) {
    response.writeHead(206, { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` });
  } else {
    response.setHeader("content-length", content.length);
  }
  response.end(request.method === "HEAD" ? undefined : content.subarray(start));
}

function listen(server: Server): Promise<void> {
  return new Promise((done) => server.listen(0, "127.0.0.1", done));
}

function port(server: Server): number {
  return (server.address() as AddressInfo).port;
}
