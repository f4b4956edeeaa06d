/** Lets an option be given again: commander hands over one value and those before it. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
