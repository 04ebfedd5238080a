/** Which rows of a long list are drawn. Pure arithmetic: all rows have the same height. */

/** Rows `first` to `last`, `last` excluded. */
export interface IRange {
  first: number;
  last: number;
}

/** What of the list is seen. */
export interface IViewport {
  /** Pixels above the first visible one. */
  top: number;
  /** Visible pixels. */
  height: number;
  /** Pixels of a row. */
  row: number;
  /** Nothing of what was seen before is seen now, and it goes on like this. */
  far?: boolean;
}

/** Rows drawn above and below those that are seen, so that a scroll does not begin blank. */
const OVERSCAN = 6;

/** The rows to draw: where a jump follows a jump, nobody will come to those around. */
export function drawn(view: IViewport, count: number): IRange {
  const seen = visible(view, count);
  const around = view.far ? 0 : OVERSCAN;
  return {
    first: Math.max(0, seen.first - around),
    last: Math.min(count, seen.last + around)
  };
}

/** At least as many as rows are drawn: a row's element is used again for one that comes in sight. */
export function pool({ height, row }: IViewport): number {
  return Math.ceil(height / row) + 1 + 2 * OVERSCAN;
}

/** The rows that are seen, also in part. */
export function visible(
  { top, height, row }: IViewport,
  count: number
): IRange {
  const first = Math.min(count, Math.max(0, Math.floor(top / row)));
  const last = Math.min(count, Math.ceil((Math.max(0, top) + height) / row));
  return { first, last: Math.max(first, last) };
}

/** Where to scroll to so that a row is seen whole; where it is seen already, nowhere. */
export function revealed(view: IViewport, index: number): number {
  const start = index * view.row;
  if (start < view.top) {
    return start;
  }
  return Math.max(view.top, start + view.row - view.height);
}

/** The row that a key goes to from a row (-1: from none); null for a key that goes nowhere. */
export function moved(
  key: string,
  from: number,
  count: number,
  page: number
): number | null {
  const steps: Record<string, number> = {
    ArrowDown: from + 1,
    ArrowUp: from - 1,
    PageDown: from + page,
    PageUp: from - page,
    Home: 0,
    End: count - 1
  };
  const to = steps[key] as number | undefined;
  return to === undefined || count === 0
    ? null
    : Math.min(count - 1, Math.max(0, to));
}

/** The row from which a key goes where the chosen one (-1: none) has gone: the next has its place. */
export function left(key: string, gone: number): number {
  return ['ArrowDown', 'PageDown'].includes(key) ? gone - 1 : gone;
}
