/** Cells of a notebook that is open, as places for a job's outputs. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type * as nbformat from '@jupyterlab/nbformat';

import type { IShownOutputs } from './outputs';

/** Cells that are made or changed without a pause: thousands of them take seconds. */
const SLICE = 50;

/** The cells in parts, after each of which a `pause` keeps the page alive. */
export function slices<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / SLICE) }, (_, part) =>
    all.slice(part * SLICE, (part + 1) * SLICE)
  );
}

/** Let the page do what else there is to do. */
export function pause(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve));
}

/** The outputs of a code cell. */
export class CellOutputs implements IShownOutputs {
  constructor(private readonly _cell: ICodeCellModel) {}

  get length(): number {
    return this._outputs?.length ?? 0;
  }

  add(output: nbformat.IOutput): void {
    this._outputs?.add(output);
  }

  set(index: number, output: nbformat.IOutput): void {
    const before = this._outputs?.get(index);
    this._outputs?.set(index, output);
    if (before?.type === 'stream') {
      // JupyterLab does not: the cell listens to its text, and would hold that as long as it is there
      before.dispose();
    }
  }

  replace(outputs: nbformat.IOutput[]): void {
    this._outputs?.fromJSON(outputs);
  }

  /** Null where the cell is gone: moved or deleted, or its notebook closed, while more came. */
  private get _outputs(): ICodeCellModel['outputs'] | null {
    return this._cell.isDisposed ? null : this._cell.outputs;
  }
}
