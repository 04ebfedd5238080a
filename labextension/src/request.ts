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
import type { IApi, Json } from './tokens';

/** It was not done; `message` says why, in a sentence to be shown. */
export class RequestError extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 where no answer came. */
    readonly status: number,
    /** The server's class of error, as `ParameterError`. */
    readonly reason: string | null = null
  ) {
    super(message);
    this.name = 'RequestError';
  }

  /** True where the same may succeed later: no server, or one behind a proxy that is away. */
  get away(): boolean {
    return this.status === 0 || (this.status >= 502 && this.reason === null);
  }

  /** True where Jupyter Server does not know who asks: its token or cookie is no longer good. */
  get signedOut(): boolean {
    return this.reason === SIGNED_OUT;
  }
}

/** The reason of errors for who is not signed in; Jupyter gives none. */
const SIGNED_OUT = 'SignedOut';
/** Jupyter's own words for them; the cookie that is missed goes with the other one. */
const SIGNED_OUT_WORDS = /^(Forbidden|Unauthorized)$|^'_xsrf' argument missing/;

/** What is said where the server says nothing to people, in the user's language. */
export interface ISentences {
  /** The language (BCP 47), in which the server says all the rest. */
  language: string;
  /** There was no answer: a browser's own words say nothing. */
  silence: string;
  /** Nobody is signed in: the server's own word is “Forbidden”. */
  signedOut: string;
  /** It was no answer of ours, perhaps a proxy's: there is its status alone. */
  answered: (status: string) => string;
}

const ENGLISH: ISentences = {
  language: 'en',
  silence: 'The Jupyter server does not answer.',
  signedOut: 'You are signed out of the Jupyter server.',
  answered: status => `The Jupyter server answered ${status}.`
};

/** True for requests that somebody took back. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** The error as an `Error`, whatever was thrown. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

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
      return this._fail(this._worded(await problem(response, this._say)));
    }
    this._answered(null);
    return response;
  }

  private _worded(error: RequestError): RequestError {
    const { message, status, reason } = error;
    if (error.away) {
      return new RequestError(this._say.silence, status);
    }
    // whoever is known, and may not, is told so in a sentence
    return reason === null && SIGNED_OUT_WORDS.test(message)
      ? new RequestError(this._say.signedOut, status, SIGNED_OUT)
      : error;
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

/** The error that a response is, in the server's own sentence where it has one. */
async function problem(
  response: Response,
  say: ISentences
): Promise<RequestError> {
  let message: string | null = null;
  let reason: string | null = null;
  try {
    const body: unknown = await response.json();
    if (typeof body === 'object' && body !== null) {
      const said = body as { message?: unknown; reason?: unknown };
      message = typeof said.message === 'string' ? said.message : null;
      reason = typeof said.reason === 'string' ? said.reason : null;
    }
  } catch {
    // a proxy's page: its status is what there is
  }
  const status = `${response.status} ${response.statusText}`.trim();
  return new RequestError(
    message ?? say.answered(status),
    response.status,
    reason
  );
}
