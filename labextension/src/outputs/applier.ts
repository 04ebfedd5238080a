import type * as nbformat from '@jupyterlab/nbformat';
import type { PartialJSONObject } from '@lumino/coreutils';

import type { IJobEvent } from '../records';

/** The outputs of one cell, wherever they are kept. */
export interface IOutputList {
  /** How many there are. */
  readonly length: number;
  /** Put one behind the others; text of the same stream goes on. */
  add(output: nbformat.IOutput): void;
  /** Take all away, with `wait` not before the next one comes. */
  clear(wait: boolean): void;
  /** The output with this number. */
  get(index: number): nbformat.IOutput;
  /** Put another one in its place. */
  set(index: number, output: nbformat.IOutput): void;
}

/** What a cell does. */
export type CellStatus = 'running' | 'ok' | 'error' | 'stopped';

/** Who is told what happened to the cells. */
export interface ICells {
  /** The outputs of a cell; null for a cell that is not shown. */
  outputs(cell: string): IOutputList | null;
  /** The job begins, perhaps once more: what an earlier attempt showed is not this one's. */
  begin(): void;
  /** A cell that is not in the notebook: papermill's, with the parameters. */
  inject(cell: string, source: string): void;
  /** A cell begins or has ended. */
  status(cell: string, status: CellStatus, count: number | null): void;
}

/** Does to cells what a job's events say, as the runner does to the notebook that it writes. */
export class Applier {
  constructor(private readonly _cells: ICells) {}

  /** Apply one event; kinds that show nothing are passed over. */
  apply(event: IJobEvent): void {
    const cell = text(event['cell_id']);
    switch (event.kind) {
      case 'started':
        this._displays.clear();
        this._clearing.clear();
        this._cells.begin();
        break;
      case 'cell':
        if (typeof event['source'] === 'string') {
          this._cells.inject(cell, event['source']);
        }
        this._cells.status(cell, 'running', null);
        break;
      case 'output':
        this._output(cell, event['output']);
        break;
      case 'update':
        this._update(text(event['display_id']), event);
        break;
      case 'clear':
        this._clear(cell, event['wait'] === true);
        break;
      case 'cell_end':
        this._clearing.delete(cell);
        this._cells.status(cell, ended(event), count(event));
        break;
    }
  }

  private _output(cell: string, output: unknown): void {
    const outputs = this._cells.outputs(cell);
    if (outputs === null || !isObject(output)) {
      return;
    }
    if (this._clearing.delete(cell)) {
      this._forget(cell);
    }
    const { transient, ...rest } = output;
    outputs.add(rest as nbformat.IOutput);
    const id = isObject(transient) ? transient['display_id'] : undefined;
    if (typeof id === 'string') {
      const places = this._displays.get(id) ?? [];
      places.push({ cell, index: outputs.length - 1 });
      this._displays.set(id, places);
    }
  }

  private _update(id: string, event: IJobEvent): void {
    for (const { cell, index } of this._displays.get(id) ?? []) {
      const outputs = this._cells.outputs(cell);
      if (outputs !== null && index < outputs.length) {
        outputs.set(index, {
          ...outputs.get(index),
          data: isObject(event['data']) ? event['data'] : {},
          metadata: isObject(event['metadata']) ? event['metadata'] : {}
        });
      }
    }
  }

  private _clear(cell: string, wait: boolean): void {
    if (wait) {
      this._clearing.add(cell);
    } else {
      this._clearing.delete(cell);
      this._forget(cell);
    }
    this._cells.outputs(cell)?.clear(wait);
  }

  /** No display of this cell is shown any more. */
  private _forget(cell: string): void {
    for (const [id, places] of this._displays) {
      this._displays.set(
        id,
        places.filter(place => place.cell !== cell)
      );
    }
  }

  /** Where displays that may be updated are, by display id. */
  private _displays = new Map<string, { cell: string; index: number }[]>();
  /** Cells whose next output replaces the others. */
  private _clearing = new Set<string>();
}

/** Outputs in memory, for the past of a job: quick with a million lines. */
export class PlainOutputs implements IOutputList {
  get length(): number {
    return this._outputs.length;
  }

  add(output: nbformat.IOutput): void {
    if (this._clearNext) {
      this.clear(false);
    }
    const last = this._outputs[this._outputs.length - 1] as
      nbformat.IOutput | undefined;
    if (
      output.output_type === 'stream' &&
      last?.output_type === 'stream' &&
      last.name === output.name
    ) {
      this._parts.push(text(output['text']));
      return;
    }
    this._end();
    this._outputs.push(output);
    this._parts = output.output_type === 'stream' ? [text(output['text'])] : [];
  }

  clear(wait: boolean): void {
    this._clearNext = wait;
    if (!wait) {
      this._outputs = [];
      this._parts = [];
    }
  }

  get(index: number): nbformat.IOutput {
    this._end();
    return this._outputs[index];
  }

  set(index: number, output: nbformat.IOutput): void {
    this._outputs[index] = output;
  }

  /** True where the next output will replace these. */
  get clearing(): boolean {
    return this._clearNext;
  }

  /** All of them, as they are written into a notebook. */
  toJSON(): nbformat.IOutput[] {
    this._end();
    return [...this._outputs];
  }

  /** Give the last stream the whole of its text. */
  private _end(): void {
    const index = this._outputs.length - 1;
    if (this._parts.length > 0) {
      const whole = withoutOverwritten(this._parts.join(''));
      this._outputs[index] = { ...this._outputs[index], text: whole };
      this._parts = [whole];
    }
  }

  private _outputs: nbformat.IOutput[] = [];
  /** The text of the last output, where that is a stream. */
  private _parts: string[] = [];
  private _clearNext = false;
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

function ended(event: IJobEvent): CellStatus {
  const status = event['status'];
  return status === 'error' || status === 'stopped' ? status : 'ok';
}

function count(event: IJobEvent): number | null {
  const value = event['execution_count'];
  return typeof value === 'number' ? value : null;
}

function text(value: unknown): string {
  if (Array.isArray(value)) {
    return value.join('');
  }
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is PartialJSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
