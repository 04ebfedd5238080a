/** The text of a log, of which the end is known, and ever more before it. */
import { withoutOverwritten } from '../outputs/plain';
import type { ILogPage, ILogPart } from '../records';
import { RequestError, asError } from '../request';

/** Characters that are kept of a text that grows: its end. */
const LONGEST = 400_000;
/** Characters that are let go of at a time. */
const PIECE = 50_000;
/** Bytes that are read first, and of what stands before. */
const TAIL = 1 << 18;
/** Milliseconds between two looks where no news comes. */
const QUIET = 5000;
/** The server's class of error for a job that it does not know. */
const GONE = 'UnknownJob';

interface IPiece {
  /** Where it begins, as the server counts. */
  readonly first: number;
  readonly text: string;
}

export interface ILogText {
  readonly pieces: readonly IPiece[];
  /** Characters that are kept. */
  readonly most: number;
}

export const NO_TEXT: ILogText = { pieces: [], most: LONGEST };

type Page = Pick<ILogPage, 'first' | 'text'>;

/** The text with more at its end; from a long one its beginning is left out. */
export function appended({ pieces, most }: ILogText, page: Page): ILogText {
  const text = plain(page.text);
  const last = pieces.at(-1);
  let now =
    last !== undefined && last.text.length < PIECE
      ? [
          ...pieces.slice(0, -1),
          { first: last.first, text: withoutOverwritten(last.text + text) }
        ]
      : [...pieces, { first: page.first, text }];
  let length = characters(now);
  while (now.length > 1 && length - now[0].text.length >= most) {
    length -= now[0].text.length;
    now = now.slice(1);
  }
  return { pieces: now, most };
}

/** The text with what stands before it, which is kept while as much comes as is kept otherwise. */
export function prepended(log: ILogText, page: Page): ILogText {
  const first = { first: page.first, text: plain(page.text) };
  const pieces = [first, ...log.pieces];
  return { pieces, most: characters(pieces) + LONGEST };
}

function characters(pieces: readonly IPiece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.text.length, 0);
}

/** Where the text begins; 0 where nothing stands before it. */
export function beginning({ pieces }: ILogText): number {
  return pieces.at(0)?.first ?? 0;
}

/** The text as a terminal would show it. */
export function whole({ pieces }: ILogText): string {
  return withoutOverwritten(pieces.map(piece => piece.text).join(''));
}

/** Without colours, which a text has no place for. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
}

/** Reads the end first, then on where it left off, whenever there may be more. */
export class LogReader {
  constructor(
    private readonly _read: (part: ILogPart) => Promise<ILogPage>,
    private readonly _take: (page: ILogPage) => void,
    private readonly _failed: (error: Error) => void
  ) {
    this.look();
  }

  look(): void {
    this._wanted = true;
    if (!this._busy) {
      this._busy = true;
      void this._all();
    }
  }

  /** What stands before `first`. */
  async before(first: number): Promise<ILogPage | null> {
    try {
      const page = await this._read({ tail: TAIL, before: first });
      return this._disposed ? null : page;
    } catch (error) {
      this._failed(asError(error));
      return null;
    }
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
  }

  private async _all(): Promise<void> {
    clearTimeout(this._timer);
    while (this._wanted && !this._disposed) {
      this._wanted = false;
      await this._one();
    }
    this._busy = false;
    if (!this._disposed && !this._ended) {
      this._timer = setTimeout(() => this.look(), QUIET);
    }
  }

  private async _one(): Promise<void> {
    const offset = this._offset;
    try {
      const page = await this._read(
        offset === null ? { tail: TAIL } : { offset }
      );
      if (this._disposed) {
        return;
      }
      this._offset = page.next;
      this._wanted ||= page.more;
      this._ended = page.ended && !page.more;
      if (page.text !== '' || offset === null) {
        this._take(page);
      }
    } catch (error) {
      // a job that was deleted prints no more
      this._ended = error instanceof RequestError && error.reason === GONE;
      this._failed(asError(error));
    }
  }

  /** Null until the end has been read. */
  private _offset: number | null = null;
  private _wanted = false;
  private _busy = false;
  private _ended = false;
  private _disposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
