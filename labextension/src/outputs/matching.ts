/** Which cell of an open notebook is which of the cells that were sent. Pure. */

/** A code cell: its id and what stands in it. */
export interface ICodeCell {
  id: string;
  source: string;
}

/** A cell that was sent, and the one here. */
export interface IPair {
  sent: ICodeCell;
  /** The id of the cell here. */
  here: string;
}

/**
 * Pairs of cells, by id; where the ids are others (a notebook that is older than cell ids gets new
 * ones each time it is opened), by what stands in them, in their order.
 */
export function paired(
  sent: readonly ICodeCell[],
  here: readonly ICodeCell[]
): IPair[] {
  const byId = new Set(here.map(cell => cell.id));
  const pairs = sent
    .filter(cell => byId.has(cell.id))
    .map((cell): IPair => ({ sent: cell, here: cell.id }));
  const taken = new Set(pairs.map(pair => pair.here));
  let from = 0;
  for (const cell of sent.filter(cell => !byId.has(cell.id))) {
    const at = here.findIndex(
      (other, index) =>
        index >= from && !taken.has(other.id) && other.source === cell.source
    );
    if (at >= 0) {
      pairs.push({ sent: cell, here: here[at].id });
      from = at + 1;
    }
  }
  return pairs;
}

/** The newest job of each cell; jobs come newest first. */
export function newestOfCells<J extends { cell?: string | null }>(
  jobs: readonly J[]
): Map<string, J> {
  const found = new Map<string, J>();
  for (const job of jobs) {
    if (job.cell && !found.has(job.cell)) {
      found.set(job.cell, job);
    }
  }
  return found;
}

/** True for a cell that runs elsewhere. */
export function isRemote(source: string): boolean {
  return /^\s*%%remote\b/.test(source);
}
