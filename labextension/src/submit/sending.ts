/** Sends a submit: again where no answer came, and no longer than until the job is recorded. */
import type { IJob } from '../records';
import { RequestError } from '../request';
import type { IJobChange, IJobsManager } from '../tokens';

/** Attempts of a request that nobody answers; its key keeps them from being two jobs. */
const ATTEMPTS = 3;
const AGAIN_AFTER = 1000;

/**
 * The job that a request makes. Its place may take its time to accept it, so the job's record is
 * enough; `isMine` knows it.
 */
export async function send(
  manager: IJobsManager,
  request: () => Promise<IJob>,
  isMine: (job: IJob) => boolean
): Promise<IJob> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await recorded(manager, request(), isMine);
    } catch (error) {
      const away = error instanceof RequestError && error.away;
      if (!away || attempt === ATTEMPTS) {
        throw error;
      }
      await new Promise(resolve => setTimeout(resolve, AGAIN_AFTER));
    }
  }
}

function recorded(
  { jobChanged }: IJobsManager,
  request: Promise<IJob>,
  isMine: (job: IJob) => boolean
): Promise<IJob> {
  return new Promise((resolve, reject) => {
    const heard = (_: IJobsManager, { change, job }: IJobChange): void => {
      if (change === 'new' && job && isMine(job)) {
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
