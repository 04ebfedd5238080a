/** Sends a submit: again where no answer came, and no longer than until the job is recorded. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IJob } from '../records';
import { RequestError } from '../request';
import type { IJobChange, IJobsManager } from '../tokens';

/** Attempts of a request that nobody answers; its key keeps them from being two jobs. */
const ATTEMPTS = 3;
const AGAIN_AFTER = 1000;

/** Hears, in a sentence, why it takes longer. */
export type Tell = (trouble: string) => void;

export interface ISend {
  request: () => Promise<IJob>;
  /** By which the job that the request makes is known from those of other tabs. */
  key: string;
  tell: Tell;
  /** False once somebody took it back: from then on it is not tried. */
  wanted: () => boolean;
}

/**
 * The job that a request makes. Its place may take its time to accept it, so the job's record is
 * enough.
 */
export async function send(
  manager: IJobsManager,
  trans: TranslationBundle,
  { request, key, tell, wanted }: ISend
): Promise<IJob> {
  for (let attempt = 1; ; attempt++) {
    if (!wanted()) {
      throw new Error('it was taken back');
    }
    try {
      return await recorded(manager, request(), key);
    } catch (error) {
      const away = error instanceof RequestError && error.away;
      if (!away || attempt === ATTEMPTS) {
        throw error;
      }
      tell(trans.__('The Jupyter server does not answer; trying again…'));
      await new Promise(resolve => setTimeout(resolve, AGAIN_AFTER));
    }
  }
}

function recorded(
  { jobChanged }: IJobsManager,
  request: Promise<IJob>,
  key: string
): Promise<IJob> {
  return new Promise((resolve, reject) => {
    const heard = (_: IJobsManager, { change, job }: IJobChange): void => {
      if (change === 'new' && job?.submit_key === key) {
        jobChanged.disconnect(heard);
        resolve(job);
      }
    };
    jobChanged.connect(heard);
    void request.then(resolve, reject).finally(() => {
      jobChanged.disconnect(heard);
    });
  });
}
