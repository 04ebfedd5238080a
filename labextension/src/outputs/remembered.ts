/** What a page that is loaded anew goes on showing in a notebook, by the notebook's path. */
import { forgetAsked } from '../tabs';
import type { OutputsHere } from './here';

/** Remembers something over a reload. */
export interface IMemory {
  fetch(key: string): Promise<unknown>;
  save(key: string, value: string): Promise<unknown>;
  remove(key: string): Promise<unknown>;
}

/** A job whose outputs were shown. */
export interface IRemembered {
  id: string;
  /** Cells that are the user's own, by the ids that were sent. */
  own: readonly string[];
}

export class Remembered {
  constructor(private readonly _memory: IMemory | null) {}

  /** Of the last time; null where nothing was shown. */
  async fetch(): Promise<IRemembered | null> {
    const text = await this._memory?.fetch(this._key());
    const [id, ...own] = typeof text === 'string' ? ids(text) : [];
    return (id as string | undefined) === undefined ? null : { id, own };
  }

  /** Go on with these. */
  keep(here: OutputsHere | null): void {
    // what an ended job has shown is the notebook's own: once more it would go over what is newer
    const text =
      here === null || here.ended
        ? null
        : JSON.stringify([here.id, ...here.own]);
    if (text !== this._text) {
      this._write(text);
    }
  }

  /** Go on with none. */
  forget(): void {
    this._write(null);
  }

  /** The notebook has this path from now on. */
  rename(path: string): void {
    const text = this._text;
    if (text !== null) {
      this._write(null);
    }
    this._path = path;
    if (text !== null) {
      this._write(text);
    }
  }

  private _write(text: string | null): void {
    this._text = text;
    // from now on this says what is shown after a reload
    forgetAsked();
    void (text === null
      ? this._memory?.remove(this._key())
      : this._memory?.save(this._key(), text));
  }

  private _key(): string {
    // not below the namespace of the jobs' pages: restoring those removes what is none of them
    return `jupyter-hybrid-shown:${this._path}`;
  }

  private _path = '';
  /** What is remembered by that path. */
  private _text: string | null = null;
}

/** None where something else was written there. */
function ids(text: string): string[] {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) && found.every(id => typeof id === 'string')
      ? found
      : [];
  } catch {
    return [];
  }
}
