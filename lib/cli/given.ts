/** The options of these names that were given; the others have defaults where they are used. */
export function given<Options extends object, Name extends keyof Options>(
  options: Options,
  names: Name[],
): { [Key in Name]?: Exclude<Options[Key], undefined> } {
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  ) as {
    [Key in Name]?: Exclude<Options[Key], undefined>;
  };
}
