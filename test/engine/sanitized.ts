/** True under a sanitizer (scripts/test-sanitized.sh), where neither time nor memory is that of a real run. */
export const isSanitized = /lib[at]san/.test(process.env.LD_PRELOAD ?? "");
