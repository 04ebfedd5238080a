/**
 * What a page can hold of a cell's outputs: the beginning and the end, and how much lies between.
 * Pure. The server shortens an answer in the same way; here what has come in many is shortened.
 */
import type { IOutput } from '@jupyterlab/nbformat';

/** Characters that are shown of a cell, about: half of them its beginning, half its end. */
export const MOST = 100_000;
/** Outputs that are shown of a cell, however short they are. */
const MANY = 200;
/** An output of this type says what is left out. */
export const LEFT_OUT = 'application/vnd.jupyter-hybrid.left-out+json';
/** Characters before a cut in which colours are looked for. */
const COLOURED = 1 << 16;

/** What is left out, as the server says it as well. */
export interface ILeftOut {
  job?: string;
  characters: number;
  /** Whole outputs. */
  outputs: number;
  /** The ends of the one text of which this is what is left. */
  head?: string;
  tail?: string;
}

/** An output, the beginning or the end of one; without an output what lies between those. */
export interface IPart {
  output: IOutput | null;
  /** Characters. */
  length: number;
  /** Which of the cell's outputs it is. */
  number: number;
}

/** What an output says of others that are left out; null for one that says nothing of that kind. */
export function leftOut(output: IOutput): ILeftOut | null {
  const data = output['data'] as { [LEFT_OUT]?: ILeftOut | null } | undefined;
  const said = data?.[LEFT_OUT];
  return typeof said?.characters !== 'number' || said.head !== undefined
    ? null
    : said;
}

/** How much an output counts among those of a cell. */
export function cost({ length }: { length: number }): number {
  return length + MOST / MANY;
}

/** Characters of text in an output. */
export function lengthOf(output: IOutput): number {
  const { text, traceback, data } = output;
  const texts: unknown[] =
    typeof data === 'object' && data !== null
      ? Object.entries(data)
          .filter(([type]) => type.startsWith('text/'))
          .map(([, value]) => value)
      : Array.isArray(traceback)
        ? traceback
        : [text];
  return texts.reduce(
    (sum: number, one) => sum + (typeof one === 'string' ? one.length : 0),
    0
  );
}

/** The outputs, with the middle of long streams by itself. */
export function cut(parts: readonly IPart[]): IPart[] {
  return parts.flatMap(part => {
    const { output, number } = part;
    if (output?.output_type !== 'stream') {
      return [part];
    }
    const [head, between, tail] = ends(output['text'] as string, MOST / 2);
    if (between === 0) {
      return [part];
    }
    const of = (text: string): IPart => ({
      output: { ...output, text },
      length: text.length,
      number
    });
    return [of(head), { output: null, length: between, number }, of(tail)];
  });
}

/** How many of the parts are shown, from the first on. */
export function fitting(parts: readonly IPart[]): number {
  let left = MOST / 2;
  const at = parts.findIndex(part => {
    const full = left <= 0 || part.output === null;
    left -= cost(part);
    return full;
  });
  return at < 0 ? parts.length : at;
}

/**
 * The text's beginning and end, and the number of characters between them: whole lines, where lines
 * are not that long, in their colours.
 */
export function ends(text: string, half: number): [string, number, string] {
  if (text.length <= 2 * half) {
    return [text, 0, ''];
  }
  const line = text.lastIndexOf('\n', half - 1) + 1;
  const first = line > half / 2 ? line : whole(text, half, -1);
  const from = text.length - half;
  const next = text.indexOf('\n', from - 1) + 1;
  const last = next > 0 && next < from + half / 2 ? next : whole(text, from, 1);
  const tail = colours(text, last) + text.slice(last);
  return [text.slice(0, first), last - first, tail];
}

/** A place to cut there or nearby, where no character and no escape sequence goes apart. */
function whole(text: string, at: number, step: 1 | -1): number {
  let place = at;
  // eslint-disable-next-line no-control-regex
  const begun = /\u001b(\[[0-9;?]*)?$/.exec(
    text.slice(Math.max(0, at - 20), at)
  );
  if (begun) {
    place -= begun[0].length;
    if (step > 0) {
      const letter = /[A-Za-z]/.exec(text.slice(place, place + 40));
      place = letter ? place + letter.index + 1 : at;
    }
  }
  return /[\udc00-\udfff]/.test(text.charAt(place)) ? place + step : place;
}

/** The sequences by which the text has its colours there. */
function colours(text: string, at: number): string {
  let active: string[] = [];
  const before = text.slice(Math.max(0, at - COLOURED), at);
  // eslint-disable-next-line no-control-regex
  for (const [all, codes] of before.matchAll(/\u001b\[([0-9;]*)m/g)) {
    if (/^0*(;|$)/.test(codes)) {
      active = [];
    }
    if (/[1-9]/.test(codes)) {
      active.push(all);
    }
  }
  return active.slice(-10).join('');
}
