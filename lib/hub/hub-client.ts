import { EnvHttpProxyAgent, fetch, type Headers, type Response } from "undici";
import { FoveaError } from "../errors.js";
import { statusError } from "./hub-error.js";
import type { HubSettings } from "./hub-settings.js";
import type { RepositoryName } from "./repository-name.js";
import { TransientError, withRetries } from "./retry.js";

const maxRedirects = 8;

/** What can be asked for besides the address. */
export interface HubRequest {
  method?: "GET" | "HEAD";
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/** An answer whose body has not been read. */
export interface HubAnswer {
  status: number;
  headers: Headers;
  /** Headers of the endpoint's own answer, before it sent us elsewhere. */
  hubHeaders: Headers;
  /** Fails with a TransientError when the connection breaks or falls silent. Must be read, or left by `break`. */
  body: AsyncIterable<Uint8Array>;
}

/** Requests about one repository of a hub. */
export class HubClient {
  readonly settings: HubSettings;
  readonly repository: RepositoryName;
  /** By way of the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, which Node's own fetch does not read. */
  readonly #connections = new EnvHttpProxyAgent();

  constructor(settings: HubSettings, repository: RepositoryName) {
    this.settings = settings;
    this.repository = repository;
  }

  /** The address of a file at a commit. */
  fileUrl(commit: string, name: string): string {
    return `${this.settings.endpoint}/${this.repository.id}/resolve/${commit}/${encodeURIComponent(name)}`;
  }

  /**
   * One request, with its redirects. The token goes to the endpoint's own origin and nowhere else: redirects are
   * followed here, because they lead to other people's storage.
   */
  async open(address: string, { method = "GET", headers = {}, signal }: HubRequest): Promise<HubAnswer> {
    const { endpoint, token, timeoutMs } = this.settings;
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), timeoutMs);
    const either = AbortSignal.any([signal, silence.signal]);
    let url = new URL(address);
    const failure = (error: unknown) => {
      clearTimeout(timer);
      if (signal.aborted) return signal.reason;
      if (FoveaError.isInstance(error) || error instanceof TransientError) return error;
      if (silence.signal.aborted) {
        return new TransientError(`${url.origin} is silent for ${timeoutMs / 1000} s.`, { cause: error });
      }
      return connectionError(error, url);
    };
    try {
      let hubHeaders: Headers | undefined;
      for (let redirects = 0; ; redirects += 1) {
        const isHub = url.origin === new URL(endpoint).origin;
        const response = await fetch(url, {
          method,
          dispatcher: this.#connections,
          redirect: "manual",
          signal: either,
          headers: {
            // What is counted and hashed is the file, not a compressed form of it.
            "accept-encoding": "identity",
            "user-agent": `fovea; node/${process.versions.node}`,
            ...headers,
            ...(isHub && token !== null && { authorization: `Bearer ${token}` }),
          },
        });
        hubHeaders ??= response.headers;
        const { status } = response;
        // Large files are described by the redirect itself, to whom asks for the description only.
        if (method === "HEAD" && (response.ok || hubHeaders.has("x-linked-etag"))) {
          clearTimeout(timer);
          return { status, headers: response.headers, hubHeaders, body: nothing() };
        }
        if (status === 200 || status === 206 || status === 416) {
          const body = chunks(response, timer, failure);
          return { status, headers: response.headers, hubHeaders, body };
        }
        await response.body?.cancel();
        const location = response.headers.get("location");
        if (![301, 302, 303, 307, 308].includes(status) || location === null) {
          throw statusError(response, url, isHub, this.repository, this.settings);
        }
        url = nextUrl(url, location, redirects);
      }
    } catch (error) {
      throw failure(error);
    }
  }

  /** The text of an answer of at most `maxBytes`, with retries. */
  async readText(address: string, maxBytes: number, signal: AbortSignal): Promise<string> {
    return withRetries(
      async () => {
        const parts: Uint8Array[] = [];
        let bytes = 0;
        for await (const part of (await this.open(address, { signal })).body) {
          bytes += part.length;
          if (bytes > maxBytes) throw unexpected(address, `more than ${maxBytes} bytes`);
          parts.push(part);
        }
        return Buffer.concat(parts).toString("utf8");
      },
      this.settings,
      signal,
    );
  }
}

/** The error of a server that says what no hub says. */
export function unexpected(address: string, what: string): FoveaError {
  const text = `${address} answers with ${what}. Is HF_ENDPOINT the address of a Hugging Face hub or mirror?`;
  return new FoveaError("ERR_FOVEA_HUB_ANSWER", text);
}

async function* chunks(
  response: Response,
  timer: NodeJS.Timeout,
  failure: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      yield chunk;
      timer.refresh(); // The reader's own time is not the server's silence.
    }
  } catch (error) {
    throw failure(error);
  } finally {
    clearTimeout(timer);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function nextUrl(from: URL, location: string, redirects: number): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isSafe = to?.protocol === "https:" || (to?.protocol === "http:" && from.protocol === "http:");
  if (to === undefined || !isSafe || redirects >= maxRedirects) {
    throw unexpected(
      from.origin,
      redirects >= maxRedirects ? "redirects without end" : "a redirect to no safe address",
    );
  }
  return to;
}

/** Broken connections may come back; names that do not resolve, closed ports and bad certificates will not soon. */
function connectionError(error: unknown, url: URL): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code = "", message = String(cause) } = cause as { code?: string; message?: string };
  const text = `No connection to ${url.origin}: ${message || code}.`;
  if (/^(ECONNRESET|ETIMEDOUT|EPIPE|EAI_AGAIN|UND_ERR_)/.test(code)) return new TransientError(text, { cause: error });
  return new FoveaError(
    "ERR_FOVEA_NETWORK",
    `${text} Check the network, or set HF_ENDPOINT to a mirror, or HF_HUB_OFFLINE=1 to use the cache only.`,
    { cause: error },
  );
}
