/** What is wrong, at the part of the form that it belongs to. Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Field, IFieldProblem } from '../records';
import { RequestError, asError } from '../request';
import { oneLine } from '../words';
import { type Count, type IDraft, misread } from './draft';

/** Which part of the form the server's class of error belongs to. */
const FIELDS: Readonly<Record<string, Field>> = {
  NotebookError: 'notebook',
  ParameterError: 'parameters',
  BundleError: 'files',
  UnknownTarget: 'target',
  ImageError: 'image'
};

/** The problem that an error tells of. */
export function problemOf(
  error: unknown,
  trans: TranslationBundle
): IFieldProblem {
  const asked = error instanceof RequestError ? error : null;
  const field = FIELDS[asked?.reason ?? ''] ?? '';
  // what the browser says of it is of no use to anybody
  const message = asked?.away
    ? trans.__(
        'The Jupyter server does not answer. Nothing is lost: try again once it is back.'
      )
    : asError(error).message;
  return { field, message };
}

/** What people call the fields of whole numbers. */
export function countNames(trans: TranslationBundle): Record<Count, string> {
  return {
    gpus: trans.__('GPUs'),
    cpus: trans.__('Cores'),
    nodes: trans.__('Nodes'),
    tasks: trans.__('Processes per node')
  };
}

/** What is typed as a number and is none: no job may do as if nothing was asked for. */
export function misreadings(
  draft: IDraft,
  trans: TranslationBundle
): IFieldProblem[] {
  const names = countNames(trans);
  return misread(draft).map(count => ({
    field: 'resources',
    message: trans.__(
      '%1: %2 is not a whole number',
      names[count],
      oneLine(draft[count].trim())
    )
  }));
}
