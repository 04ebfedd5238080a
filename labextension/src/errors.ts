/** What a request was not done for, in the server's own sentence where it has one. */

/** JupyterHub's status for whatever is asked of a server that it has stopped. */
const STOPPED = 424;
/** Those of its pages for who wants something done there, and knows only the server's cookie. */
const REFUSED: readonly number[] = [403, 405];

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

  /** True where the same may succeed later: no server, or one behind a proxy or hub that is away. */
  get away(): boolean {
    const gone = this.status >= 502 || this.status === STOPPED;
    return this.status === 0 || (gone && this.reason === null);
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

export const ENGLISH: ISentences = {
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

/** True for a page that says no, where the server's part of ours would say it in JSON. */
export function isRefusal(response: Response): boolean {
  const type = response.headers.get('Content-Type') ?? '';
  return REFUSED.includes(response.status) && type.startsWith('text/html');
}

/** The error that a response is, in the server's own sentence where it has one. */
export async function problem(
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
  const { status, statusText } = response;
  if (new RequestError('', status, reason).away) {
    return new RequestError(say.silence, status);
  }
  // whoever is known, and may not, is told so in a sentence
  if (reason === null && SIGNED_OUT_WORDS.test(message ?? '')) {
    return new RequestError(say.signedOut, status, SIGNED_OUT);
  }
  const words = message ?? say.answered(`${status} ${statusText}`.trim());
  return new RequestError(words, status, reason);
}
