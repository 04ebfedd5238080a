/** The outputs of one cell in memory: all that is shown of it, and how much is left out. */
import type * as nbformat from '@jupyterlab/nbformat';

import type { IOutputList } from './applier';
import {
  cost,
  cut,
  fitting,
  type ILeftOut,
  type IPart,
  leftOut,
  lengthOf,
  MOST
} from './shortening';

/** Makes the output that says what is left out. */
export type Tell = (said: ILeftOut) => nbformat.IOutput;

/** Quick with a million lines; of more than a page can hold, the beginning and the end. */
export class PlainOutputs implements IOutputList {
  constructor(private readonly _tell: Tell) {}

  /** How many have come, those included that are left out. */
  get length(): number {
    return this._count;
  }

  /** Characters, about, that are kept behind what is left out. */
  get size(): number {
    return this._cost;
  }

  add(output: nbformat.IOutput): void {
    if (this._clearNext) {
      this.clear(false);
    }
    const said = leftOut(output);
    if (said !== null) {
      this._end();
      this._leaveOut(said, this._gap === null ? [] : this._behind());
      return;
    }
    const last = this._parts.at(-1)?.output;
    const text = joined(output['text']);
    if (
      output.output_type === 'stream' &&
      last?.output_type === 'stream' &&
      last['name'] === output['name']
    ) {
      this._texts.push(text);
      this._cost += text.length;
    } else {
      this._end();
      this._push(
        output.output_type === 'stream'
          ? { ...output, text: withoutOverwritten(text) }
          : output
      );
    }
    if (this._cost > LONGEST) {
      this._end();
      this._shorten();
    }
  }

  clear(wait: boolean): void {
    this._clearNext = wait;
    if (!wait) {
      this._parts = [];
      this._texts = [];
      this._gap = null;
      this._cost = this._count = 0;
    }
  }

  get(number: number): nbformat.IOutput | null {
    this._end();
    return this._parts.find(part => part.number === number)?.output ?? null;
  }

  set(number: number, output: nbformat.IOutput): void {
    this._end();
    const length = lengthOf(output);
    this._parts = this._parts.map(part =>
      part.number === number ? { output, length, number } : part
    );
    this._cost = total(this._behind());
  }

  /** All that are shown, as they are written into a notebook. */
  toJSON(): nbformat.IOutput[] {
    this._end();
    return this._parts.flatMap(({ output }) => output ?? []);
  }

  private _push(output: nbformat.IOutput): void {
    const part = { output, length: lengthOf(output), number: this._count };
    this._count += 1;
    this._parts.push(part);
    this._cost += cost(part);
    this._begin();
  }

  /** More may come of the last output, where that is a stream. */
  private _begin(): void {
    const last = this._parts.at(-1)?.output;
    this._texts =
      last?.output_type === 'stream' ? [last['text'] as string] : [];
  }

  /** What has come behind what is left out; where nothing is, all. */
  private _behind(): IPart[] {
    const at = this._parts.findIndex(({ number }) => number === GAP);
    return this._parts.slice(at + 1);
  }

  private _shorten(): void {
    const behind = this._behind();
    if (total(behind) <= LONGEST) {
      // carriage returns had it look longer
      this._cost = total(behind);
      return;
    }
    const parts = cut(behind);
    const head = this._gap === null ? fitting(parts) : 0;
    const tail = fitting(parts.slice(head).reverse());
    const gone = parts.slice(head, parts.length - tail);
    if (gone.length === 0) {
      // all of them may be shown, for the last one begins where there was room
      return;
    }
    if (this._gap === null) {
      this._parts = parts.slice(0, head);
    }
    this._leaveOut(NOTHING, gone);
    const shown = parts.slice(parts.length - tail);
    this._parts.push(...shown);
    this._cost = total(shown);
    this._begin();
  }

  /** These are left out, of those behind the gap; as is what the server has left out. */
  private _leaveOut(more: ILeftOut, gone: readonly IPart[]): void {
    const before = this._gap ?? NOTHING;
    const whole = gone.filter(({ output }) => output !== null);
    const said = {
      characters: gone.reduce(
        (sum, { length }) => sum + length,
        before.characters + more.characters
      ),
      outputs: before.outputs + more.outputs + whole.length
    };
    const at = this._parts.findIndex(({ number }) => number === GAP);
    const head = this._gap === null ? this._parts : this._parts.slice(0, at);
    this._gap = said;
    this._parts = [
      ...head,
      { output: this._tell(said), length: 0, number: GAP }
    ];
    this._texts = [];
    this._cost = 0;
  }

  /** Give the last stream the whole of its text. */
  private _end(): void {
    const last = this._parts.at(-1);
    if (this._texts.length > 1 && last?.output) {
      const text = withoutOverwritten(this._texts.join(''));
      const output = { ...last.output, text };
      this._parts[this._parts.length - 1] = {
        ...last,
        output,
        length: text.length
      };
      this._texts = [text];
    }
  }

  private _parts: IPart[] = [];
  /** The text of the last output, where that is a stream. */
  private _texts: string[] = [];
  private _gap: ILeftOut | null = null;
  private _cost = 0;
  private _count = 0;
  private _clearNext = false;
}

/** The number of what says what is left out. */
const GAP = -1;
/** Characters that come before they are shortened: not with each that comes. */
const LONGEST = MOST * 1.5;
const NOTHING: ILeftOut = { characters: 0, outputs: 0 };

function total(parts: readonly IPart[]): number {
  return parts.reduce((sum, part) => sum + cost(part), 0);
}

function joined(value: unknown): string {
  if (Array.isArray(value)) {
    return value.join('');
  }
  return typeof value === 'string' ? value : '';
}

/** What a terminal still shows after carriage returns: a progress bar's last state. */
export function withoutOverwritten(text: string): string {
  if (!text.includes('\r')) {
    return text;
  }
  return text.split('\n').map(lastState).join('\n');
}

function lastState(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === '\r') {
    end -= 1;
  }
  // a return at the very end has overwritten nothing yet
  const kept = line.slice(line.lastIndexOf('\r', end - 1) + 1);
  return end === 0 ? '' : kept;
}
