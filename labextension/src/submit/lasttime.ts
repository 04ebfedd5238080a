/** The choices of last time, which the server keeps for each notebook. */
import type { IParameter } from '../records';
import type { IApi, IJobsManager } from '../tokens';
import { type IDraft, fromPreferences, toPreferences } from './draft';
import { changed } from './parameters';

/** Those for this notebook, else the last target; without a target that is configured no more. */
export async function readChoices(
  manager: IJobsManager,
  path: string | null
): Promise<Partial<IDraft>> {
  const [own, general] = await Promise.all([
    manager.api.preferences(path),
    manager.api.preferences(null)
  ]);
  const last = fromPreferences(own ?? { target: general?.target });
  const targets = await manager.targets();
  if (!targets.some(({ name }) => name === last.target)) {
    delete last.target;
  }
  return last;
}

/** Keep them for the next time. */
export async function keepChoices(
  api: IApi,
  path: string | null,
  draft: IDraft,
  parameters: readonly IParameter[]
): Promise<void> {
  const own = { ...draft, parameters: changed(parameters, draft.parameters) };
  try {
    await api.setPreferences(path, toPreferences(own));
    await api.setPreferences(null, { version: 1, target: draft.target });
  } catch {
    // the job runs all the same
  }
}
