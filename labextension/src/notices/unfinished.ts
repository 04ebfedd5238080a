/** Jobs that have not ended, read once for all who want to know. */
import { UNFINISHED } from '../records';
import type { IJobList, IJobsManager } from '../tokens';

/** More than these at the same time are counted, and not looked at one by one. */
const MOST = 200;

const lists = new WeakMap<IJobsManager, IJobList>();

export function unfinished(manager: IJobsManager): IJobList {
  let list = lists.get(manager);
  if (list === undefined) {
    list = manager.list({ states: UNFINISHED }, MOST);
    lists.set(manager, list);
  }
  return list;
}

/** How many jobs run, and how many wait. */
export function counts(list: IJobList): { running: number; waiting: number } {
  const { RUNNING = 0, PENDING = 0, CREATED = 0 } = list.counts;
  return { running: RUNNING, waiting: PENDING + CREATED };
}
