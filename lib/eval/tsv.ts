import { questionError } from "./question-error.js";

/** One row of a table, and the line of the file it begins at. */
export interface TsvRow {
  line: number;
  fields: string[];
}

/**
 * The rows of a table with tabs between fields, as pandas writes it: a field that holds a tab, a line break or a
 * quotation mark is in quotation marks, and those inside it are doubled.
 */
export function* tsvRows(text: string, path: string): Generator<TsvRow, void, undefined> {
  let [at, line] = [0, 1];
  while (at < text.length) {
    const row: TsvRow = { line, fields: [] };
    for (let isRowOpen = true; isRowOpen; ) {
      const [field, end] = text[at] === '"' ? quoted(text, at, `${path}, line ${line}`) : plain(text, at);
      row.fields.push(field);
      for (let i = field.indexOf("\n"); i >= 0; i = field.indexOf("\n", i + 1)) line += 1;
      isRowOpen = text[end] === "\t";
      at = end + 1;
    }
    line += 1;
    yield row;
  }
}

/** A field without quotation marks, and the index of what ends it. */
function plain(text: string, start: number): [field: string, end: number] {
  const tab = text.indexOf("\t", start);
  const newline = text.indexOf("\n", start);
  const end = Math.min(tab < 0 ? text.length : tab, newline < 0 ? text.length : newline);
  return [text.slice(start, end).replace(/\r$/, ""), end];
}

function quoted(text: string, start: number, where: string): [field: string, end: number] {
  let close = text.indexOf('"', start + 1);
  while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close < 0) throw questionError(where, text.slice(start), "a quotation mark that ends the field");
  const end = close + (text[close + 1] === "\r" ? 2 : 1);
  if (end < text.length && text[end] !== "\t" && text[end] !== "\n") {
    throw questionError(where, text.slice(close, close + 20), "a tab or a line break after the quotation mark");
  }
  return [text.slice(start + 1, close).replaceAll('""', '"'), end];
}
