/** What is wrong, at the part of the form that it belongs to. Pure. */
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
export function problemOf(error: unknown): IFieldProblem {
  const reason = error instanceof RequestError ? error.reason : null;
  return { field: FIELDS[reason ?? ''] ?? '', message: asError(error).message };
}
