import type { Headers, Response } from "undici";
import { FoveaError } from "../errors.js";
import type { HubSettings } from "./hub-settings.js";
import type { RepositoryName } from "./repository-name.js";
import { TransientError } from "./retry.js";

/** What an answer other than 200 or 206 means, and what to do about it. `isHub`: it came from the endpoint itself. */
export function statusError(
  response: Response,
  url: URL,
  isHub: boolean,
  { id, revision }: RepositoryName,
  { endpoint, token }: HubSettings,
): Error {
  const { status, headers } = response;
  const code = headers.get("x-error-code");
  // A storage server that refuses an address whose signature has expired: the hub gives a new one.
  if (status === 408 || status === 429 || status >= 500 || (status === 403 && !isHub)) {
    const pauseMs = retryAfter(headers.get("retry-after"));
    return new TransientError(`${url.origin} answers ${status}${status === 429 ? ": too many requests" : ""}.`, {
      pauseMs,
    });
  }
  if (code === "GatedRepo") {
    return new FoveaError(
      "ERR_FOVEA_HUB_ACCESS",
      `${id} is gated: accept its conditions at ${endpoint}/${id}. ${tokenAdvice(token)}`,
    );
  }
  if (code === "RevisionNotFound") {
    return new FoveaError("ERR_FOVEA_MODEL_NOT_FOUND", `${id} has no revision "${revision}" at ${endpoint}.`);
  }
  if (code === "RepoNotFound" || status === 404) {
    const why = `There is no ${id} at ${endpoint}, or it is private.`;
    return new FoveaError("ERR_FOVEA_MODEL_NOT_FOUND", `${why} Check the name. ${tokenAdvice(token)}`);
  }
  if (status === 401 || status === 403) {
    const why = `${url.origin} refuses ${id} (${status})${messageOf(headers)}.`;
    return new FoveaError("ERR_FOVEA_HUB_ACCESS", `${why} ${tokenAdvice(token)}`);
  }
  return new FoveaError("ERR_FOVEA_HUB_ANSWER", `${url.origin} answers ${status}${messageOf(headers)} about ${id}.`);
}

function tokenAdvice(token: string | null): string {
  return token === null
    ? "A token is given by HF_TOKEN or `hf auth login`; none was sent."
    : "The token that was sent may have expired, or may not read this repository.";
}

/** The hub's own words, as far as they are printable. */
function messageOf(headers: Headers): string {
  const text = headers.get("x-error-message")?.replace(/[^\x20-\x7e]/g, "");
  return text ? `: ${text.slice(0, 200).replace(/\.$/, "")}` : "";
}

/** Milliseconds of a Retry-After header, which has seconds or a date. */
function retryAfter(text: string | null): number {
  if (text === null) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? ms : 0;
}
