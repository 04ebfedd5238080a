/** Cells of a notebook that is open, as places for a job's outputs. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type * as nbformat from '@jupyterlab/nbformat';

import type { IShownOutputs } from './outputs';

/** The outputs of a code cell. */
export class CellOutputs implements IShownOutputs {
  constructor(private readonly _cell: ICodeCellModel) {}

  get length(): number {
    return this._cell.outputs.length;
  }

  add(output: nbformat.IOutput): void {
    this._cell.outputs.add(output);
  }

  set(index: number, output: nbformat.IOutput): void {
    this._cell.outputs.set(index, output);
  }

  replace(outputs: nbformat.IOutput[]): void {
    this._cell.outputs.fromJSON(outputs);
  }
}
