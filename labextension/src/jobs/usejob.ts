/** A job in a React component, live. */
import { useEffect, useState } from 'react';

import type { IJob } from '../records';
import { asError } from '../request';
import type { IJobChange, IJobsManager } from '../tokens';
import { useReturns } from './hooks';

/** What is known of a job. */
export interface IKnown {
  /** Null until it was read. */
  job: IJob | null;
  /** It was deleted. */
  gone: boolean;
  /** Why it could not be read. */
  error: Error | null;
}

export function useJob(manager: IJobsManager, id: string): IKnown {
  const [known, setKnown] = useState<IKnown>(() => ({
    job: manager.known(id) ?? null,
    gone: false,
    error: null
  }));
  // what is known already, the manager keeps true by itself
  const turn = useReturns(manager) * Number(known.job === null);
  useEffect(() => {
    const changed = (_: IJobsManager, change: IJobChange): void => {
      if (change.id === id) {
        const gone = change.change === 'deleted';
        const job = change.job ?? change.before;
        setKnown({ job, gone, error: null });
      }
    };
    manager.jobChanged.connect(changed);
    return () => void manager.jobChanged.disconnect(changed);
  }, [manager, id]);
  useEffect(() => {
    manager.job(id).then(
      job => setKnown(old => answered(old, job)),
      (error: unknown) => setKnown(old => ({ ...old, error: asError(error) }))
    );
  }, [manager, id, turn]);
  return known;
}

/** An answer may have been under way when the job was deleted, or when it was told how it is now. */
function answered(old: IKnown, job: IJob): IKnown {
  if (old.gone) {
    return old;
  }
  const newer = old.job !== null && old.job.revision > job.revision;
  return { job: newer ? old.job : job, gone: false, error: null };
}
