/** What is wrong, at the part of the form that it belongs to. Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Field, IFieldProblem } from '../records';
import { RequestError, asError } from '../request';

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
