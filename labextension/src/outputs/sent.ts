/** The cells of a job's notebook, as they were sent and, once it has ended, with what they printed. Pure. */
import type * as nbformat from '@jupyterlab/nbformat';

import type { IJobEvent } from '../records';
import type { ICodeCell } from './matching';

/** A job's notebook. */
export interface ISent {
  cells: readonly nbformat.ICodeCell[];
  /** The job has ended: the outputs are in them. */
  final: boolean;
}

export function isCode(cell: nbformat.ICell): cell is nbformat.ICodeCell {
  return cell.cell_type === 'code';
}

export function sentCell(cell: nbformat.ICell): ICodeCell {
  const source = cell.source;
  return {
    id: typeof cell['id'] === 'string' ? cell['id'] : '',
    source: Array.isArray(source) ? source.join('') : source
  };
}

/** A cell of an ended job as if its events came now; nothing where it never ran. */
export function asEvents(cell: nbformat.ICodeCell): IJobEvent[] {
  const rest = { seq: 0, time: 0, cell_id: sentCell(cell).id };
  if (cell.execution_count === null && cell.outputs.length === 0) {
    return [];
  }
  return [
    ...cell.outputs.map(output => ({ ...rest, kind: 'output', output })),
    {
      ...rest,
      kind: 'cell_end',
      status: 'ok',
      execution_count: cell.execution_count
    }
  ];
}
