/** Requests to the server's part, and errors in its own sentences. */
import { URLExt } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { ServerConnection } from '@jupyterlab/services';

import type {
  IAbout,
  IEnvironment,
  IEventPage,
  IExpected,
  IFetched,
  IFetchWishes,
  IInspection,
  IJob,
  IJobDetail,
  IJobFilter,
  IJobPage,
  ILogPage,
  ILogPart,
  INotebookReference,
  IOffers,
  IOutputNotebook,
  IPreview,
  IRerun,
  IResults,
  ISubmission,
  ITarget,
  IWishes
} from './records';
import { hear, ticks } from './clock';
import {
  ENGLISH,
  type ISentences,
  RequestError,
  asError,
  isAborted,
  isRefusal,
  problem
} from './errors';
import type { IApi, Json } from './tokens';

export { type ISentences, RequestError, asError, isAborted };

/** A key that no other submit has. */
export function newKey(): string {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(words, word => word.toString(36)).join('-');
}

type Query = Record<string, string | number | boolean | null | undefined>;

interface IRequest {
  query?: Query;
  body?: object;
  key?: string;
  signal?: AbortSignal;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** All requests, by `ServerConnection`: its token, its XSRF header, its base URL. */
export class Api implements IApi {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    /** Told after each answer, and after each request without one. */
    private readonly _answered: (error: RequestError | null) => void = () => {
      // nobody wants to know
    },
    private readonly _say = ENGLISH
  ) {}

  about(): Promise<IAbout> {
    return this._json('GET', '/about');
  }

  async targets(): Promise<ITarget[]> {
    const answer = await this._json<{ targets: ITarget[] }>('GET', '/targets');
    return answer.targets;
  }

  offers(
    target: string,
    wishes: IWishes = {},
    signal?: AbortSignal
  ): Promise<IOffers> {
    return this._json('GET', '/offers', {
      query: { target, ...wishes },
      signal
    });
  }

  async durations(path: string): Promise<IExpected[]> {
    type Answer = { durations: IExpected[] };
    const query = { path };
    return (await this._json<Answer>('GET', '/durations', { query })).durations;
  }

  inspect(notebook: INotebookReference): Promise<IInspection> {
    return this._json('POST', '/inspect', { body: notebook });
  }

  preview(submission: ISubmission, signal?: AbortSignal): Promise<IPreview> {
    return this._json('POST', '/preview', { body: submission, signal });
  }

  async environment(
    submission: ISubmission,
    resolve: boolean,
    signal?: AbortSignal
  ): Promise<IEnvironment | null> {
    type Answer = { environment: IEnvironment | null };
    const request = { body: submission, query: { resolve }, signal };
    return (await this._json<Answer>('POST', '/environment', request))
      .environment;
  }

  submit(submission: ISubmission, key: string): Promise<IJob> {
    return this._json('POST', '/jobs', { body: submission, key });
  }

  rerun(id: string, changes: IRerun, key: string): Promise<IJob> {
    return this._json('POST', job(id, 'rerun'), { body: changes, key });
  }

  jobs(
    filter: IJobFilter,
    page: { before?: string; offset?: number; limit?: number } = {},
    signal?: AbortSignal
  ): Promise<IJobPage> {
    const { states, ...others } = filter;
    const query = { state: states?.join(','), ...others, ...page };
    return this._json('GET', '/jobs', { query, signal });
  }

  job(id: string, ask = false): Promise<IJobDetail> {
    return this._json('GET', job(id), { query: { ask: ask || null } });
  }

  cancel(id: string, force = false): Promise<IJob> {
    return this._json('POST', job(id, 'cancel'), { body: { force } });
  }

  async delete(id: string): Promise<void> {
    await this._send('DELETE', job(id));
  }

  fetch(id: string, wishes: IFetchWishes = {}): Promise<IFetched> {
    return this._json('POST', job(id, 'fetch'), { body: wishes });
  }

  events(
    id: string,
    after: number,
    more: { limit?: number; outputs?: number } = {}
  ): Promise<IEventPage> {
    return this._json('GET', job(id, 'events'), { query: { after, ...more } });
  }

  log(id: string, of: 'cells' | 'runner', part: ILogPart): Promise<ILogPage> {
    return this._json('GET', job(id, 'log'), { query: { of, ...part } });
  }

  async notebook(id: string, outputs?: number): Promise<IOutputNotebook> {
    const query = { outputs };
    const response = await this._send('GET', job(id, 'notebook'), { query });
    const last = Number(response.headers.get('X-Last-Event') ?? 0);
    return { content: (await response.json()) as INotebookContent, last };
  }

  notebookUrl(id: string): string {
    return this._url(job(id, 'notebook'), { download: true });
  }

  async environmentOf(
    id: string,
    wishes: { target?: string; image?: string; resolve?: boolean } = {},
    signal?: AbortSignal
  ): Promise<IEnvironment | null> {
    type Answer = { environment: IEnvironment | null };
    const request = { query: wishes, signal };
    return (await this._json<Answer>('GET', job(id, 'environment'), request))
      .environment;
  }

  inspectJob(id: string): Promise<IInspection> {
    return this._json('GET', job(id, 'inspect'));
  }

  previewRerun(
    id: string,
    changes: IRerun,
    signal?: AbortSignal
  ): Promise<IPreview> {
    return this._json('POST', job(id, 'preview'), { body: changes, signal });
  }

  async sent(id: string): Promise<{ path: string; size: number }[]> {
    type Sent = { files: { path: string; size: number }[] };
    return (await this._json<Sent>('GET', job(id, 'files'))).files;
  }

  results(id: string): Promise<IResults> {
    return this._json('GET', job(id, 'results'));
  }

  resultUrl(id: string, path: string): string {
    const parts = path.split('/').map(encodedName);
    return this._url(`${job(id, 'results')}/${parts.join('/')}`);
  }

  async preferences(path: string | null): Promise<Json | null> {
    type Kept = { preferences: Json | null };
    const kept = await this._json<Kept>('GET', '/preferences', {
      query: { path }
    });
    return kept.preferences;
  }

  async setPreferences(
    path: string | null,
    preferences: Json | null
  ): Promise<void> {
    await this._json('PUT', '/preferences', { body: { path, preferences } });
  }

  private async _json<T>(
    method: Method,
    path: string,
    request: IRequest = {}
  ): Promise<T> {
    const response = await this._send(method, path, request);
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (isAborted(error)) {
        throw error;
      }
      throw new RequestError(
        `the answer to ${method} ${path} is no JSON: ${asError(error).message}`,
        response.status
      );
    }
  }

  private async _send(
    method: Method,
    path: string,
    { query, body, key, signal }: IRequest = {}
  ): Promise<Response> {
    const headers: Record<string, string> = {
      'Accept-Language': this._say.language
    };
    const init: RequestInit = { method, headers };
    if (signal) {
      init.signal = signal;
    }
    if (body) {
      init.body = JSON.stringify(body);
    }
    if (key) {
      headers['Idempotency-Key'] = key;
    }
    const asked = ticks();
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        this._url(path, query),
        init,
        this._settings
      );
    } catch (error) {
      if (isAborted(error) || signal?.aborted) {
        throw error;
      }
      return this._fail(new RequestError(this._say.silence, 0));
    }
    hear(response.headers.get('Date'), asked);
    if (!response.ok) {
      const error = await problem(response, this._say);
      const doubtful = method !== 'GET' && isRefusal(response);
      return this._fail(doubtful ? await this._refused(error, signal) : error);
    }
    this._answered(null);
    return response;
  }

  /** It is no answer of ours; where nobody of ours is there, the error that says so. */
  private async _refused(
    error: RequestError,
    signal?: AbortSignal
  ): Promise<RequestError> {
    try {
      await this._send('GET', '/about', { signal });
    } catch (other) {
      if (!(other instanceof RequestError)) {
        throw other;
      }
      return other.away ? other : error;
    }
    return error;
  }

  private _fail(error: RequestError): never {
    this._answered(error);
    throw error;
  }

  private _url(path: string, query: Query = {}): string {
    const base = URLExt.join(this._settings.baseUrl, 'jupyter-hybrid', 'api');
    const given = Object.entries(query).filter(
      ([, value]) => value !== undefined && value !== null && value !== ''
    );
    const words = given.map(
      ([name, value]) =>
        `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`
    );
    return `${base}${path}${words.length > 0 ? `?${words.join('&')}` : ''}`;
  }
}

/** A file's name in a URL; a byte of it that is no text is half a character here, and a byte there. */
function encodedName(name: string): string {
  return name
    .split(/(\p{Cs})/u)
    .map((part, at) =>
      at % 2 === 0
        ? encodeURIComponent(part)
        : `%${(part.charCodeAt(0) & 0xff).toString(16).toUpperCase()}`
    )
    .join('');
}

function job(id: string, part = ''): string {
  return `/jobs/${encodeURIComponent(id)}${part ? `/${part}` : ''}`;
}
