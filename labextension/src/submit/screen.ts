/** A notebook as it is on screen. */
import type { ICellModel, IAttachmentsCellModel } from '@jupyterlab/cells';
import type {
  ICell,
  IAttachments,
  INotebookContent
} from '@jupyterlab/nbformat';
import type { INotebookModel } from '@jupyterlab/notebook';

/** The notebook without its outputs: they may be large, and a job makes its own. */
export function onScreen(model: INotebookModel): INotebookContent {
  return {
    cells: Array.from(model.cells, cell),
    metadata: model.metadata,
    nbformat: model.nbformat,
    nbformat_minor: model.nbformatMinor
  };
}

function cell(model: ICellModel): ICell {
  const { id, type, metadata } = model;
  const source = model.sharedModel.getSource();
  const common = { id, cell_type: type, metadata, source };
  if (type === 'code') {
    return { ...common, outputs: [], execution_count: null };
  }
  const attachments = attachmentsOf(model);
  return attachments ? { ...common, attachments } : common;
}

function attachmentsOf(model: ICellModel): IAttachments | null {
  const { attachments } = model as Partial<IAttachmentsCellModel>;
  return attachments && attachments.length > 0 ? attachments.toJSON() : null;
}
