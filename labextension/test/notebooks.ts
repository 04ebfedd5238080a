/** Notebooks that are open, as JupyterLab has them, for tests. */
import type { CodeCellModel } from '@jupyterlab/cells';
import type {
  ICodeCell,
  INotebookContent,
  IOutput
} from '@jupyterlab/nbformat';
import { NotebookActions, NotebookModel } from '@jupyterlab/notebook';
import type { Signal } from '@lumino/signaling';

import type { IJobEvent } from '../src/records';

export function printed(text: string): IOutput {
  return { output_type: 'stream', name: 'stdout', text };
}

/** Cells `print(1)`, `print(2)`, … that show these; nothing where that is empty. */
export function notebook(...outputs: string[]): INotebookContent {
  const cells = outputs.map((text, at): ICodeCell => ({
    cell_type: 'code',
    id: `cell-${at + 1}`,
    source: `print(${at + 1})`,
    outputs: text === '' ? [] : [printed(text)],
    execution_count: text === '' ? null : at + 1,
    metadata: {}
  }));
  return { cells, metadata: {}, nbformat: 4, nbformat_minor: 5 };
}

/** Such a notebook, open and saved. */
export function opened(...outputs: string[]): NotebookModel {
  const model = new NotebookModel();
  model.fromJSON(notebook(...outputs));
  model.dirty = false;
  return model;
}

export function codeCell(model: NotebookModel, at: number): CodeCellModel {
  return model.cells.get(at) as CodeCellModel;
}

/** What its cells show, as it would be saved. */
export function shown(model: NotebookModel): string[] {
  return [...model.cells].map((_, at) =>
    codeCell(model, at)
      .outputs.toJSON()
      .map(output => ([output['text']].flat() as string[]).join(''))
      .join('|')
  );
}

/** Run a cell as JupyterLab does, with a kernel that prints this. */
export function run(model: NotebookModel, at: number, text: string): void {
  const cell = { model: codeCell(model, at) };
  const scheduled = NotebookActions.executionScheduled as Signal<
    unknown,
    unknown
  >;
  scheduled.emit({ notebook: { model }, cell });
  cell.model.clearExecution();
  cell.model.executionState = 'running';
  cell.model.outputs.add(printed(text));
  cell.model.executionCount = 7;
}

/** Events of a job that begins a cell, which prints these; their numbers follow this one. */
export function ran(
  seq: number,
  cell: string,
  ...lines: string[]
): IJobEvent[] {
  const outputs = lines.map(line => ({
    kind: 'output',
    output: printed(line)
  }));
  return [{ kind: 'cell' }, ...outputs].map((event, at) => ({
    seq: seq + at + 1,
    time: 1,
    cell_id: cell,
    ...event
  }));
}
