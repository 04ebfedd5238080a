/** A long list of which parts are known: jobs by their place, newest first. Pure. */
import type { IJob } from '../records';

export type Rows = readonly (IJob | undefined)[];

/** Where a job is, or would be. */
export interface IPlace {
  at: number;
  /** The job as it stands there. */
  here: IJob | undefined;
  /** Nothing is unknown between its neighbours, so that it is known where it would be. */
  certain: boolean;
}

/** `ended` tells that there is nothing behind the rows. */
export function placeOf(rows: Rows, id: string, ended: boolean): IPlace {
  let behind = 0;
  for (const [at, job] of rows.entries()) {
    if (job !== undefined && job.id <= id) {
      const here = job.id === id ? job : undefined;
      return { at, here, certain: at === behind };
    }
    behind = job === undefined ? behind : at + 1;
  }
  const certain = ended && behind === rows.length;
  return { at: rows.length, here: undefined, certain };
}

/** The rows with a page put in from `offset` on; with `last` nothing is behind it. */
export function withPage(
  rows: Rows,
  offset: number,
  page: readonly IJob[],
  last: boolean
): Rows {
  const end = offset + page.length;
  const length = last ? end : Math.max(rows.length, end);
  const newest = page.at(0)?.id;
  const oldest = page.at(-1)?.id;
  return Array.from({ length }, (_, at) => {
    if (at >= offset && at < end) {
      return page[at - offset];
    }
    // what cannot be where it was, because others came or went unseen, is read anew
    const job = rows.at(at);
    const moved =
      job !== undefined &&
      newest !== undefined &&
      oldest !== undefined &&
      (at < offset ? job.id <= newest : job.id >= oldest);
    return moved ? undefined : job;
  });
}

/** The first of these rows that is not known; null where all are. */
export function unknown(
  rows: Rows,
  first: number,
  last: number
): number | null {
  for (let at = first; at < last; at++) {
    if (rows[at] === undefined) {
      return at;
    }
  }
  return null;
}
