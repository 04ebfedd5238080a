import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';

import { Api, type ISentences, RequestError } from '../src/request';

interface ISeen {
  url: string;
  method: string;
  body: unknown;
  key: string | null;
  language: string | null;
}

function api(
  answer: (method: string) => Response,
  say?: ISentences
): { api: Api; seen: ISeen[] } {
  const seen: ISeen[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://here.test/user/a/',
    fetch: async request => {
      const { url, method, headers } = request as Request;
      const text = await (request as Request).text();
      seen.push({
        // ServerConnection adds the time, for caches
        url: url.replace(/[?&]\d+$/, ''),
        method,
        body: text ? (JSON.parse(text) as unknown) : null,
        key: headers.get('Idempotency-Key'),
        language: headers.get('Accept-Language')
      });
      return answer(method);
    }
  });
  return { api: new Api(settings, undefined, say), seen };
}

function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status });
}

function page(status: number): Response {
  const headers = { 'Content-Type': 'text/html; charset=UTF-8' };
  return new Response('<html>', { status, headers });
}

describe('requests', () => {
  it('go below the base URL, with names of any kind', async () => {
    const { api: a, seen } = api(() => json({ jobs: [], files: [] }));
    await a.jobs({ states: ['RUNNING'], text: 'ü&?' }, { limit: 2 });
    await a.job('a/b', true);
    expect(seen.map(one => one.url)).toEqual([
      'http://here.test/user/a/jupyter-hybrid/api/jobs?state=RUNNING&text=%C3%BC%26%3F&limit=2',
      'http://here.test/user/a/jupyter-hybrid/api/jobs/a%2Fb?ask=true'
    ]);
    expect(a.resultUrl('x', 'a b/ü?.csv')).toBe(
      'http://here.test/user/a/jupyter-hybrid/api/jobs/x/results/a%20b/%C3%BC%3F.csv'
    );
    // a name that is no text, as Python tells it
    expect(a.resultUrl('x', '🙂 half \udcff')).toMatch(
      /results\/%F0%9F%99%82%20half%20%FF$/
    );
  });

  it('say who is signed out that he is, and who may not that he may not', async () => {
    const refused = api(() =>
      json({ message: 'Forbidden', reason: null }, 403)
    );
    await expect(refused.api.about()).rejects.toMatchObject({
      message: 'You are signed out of the Jupyter server.',
      signedOut: true,
      away: false
    });
    const said = 'User is not authorized to write on resource: contents.';
    const denied = api(() => json({ message: said, reason: null }, 403));
    await expect(denied.api.about()).rejects.toMatchObject({
      message: said,
      signedOut: false
    });
  });

  it('carry a key, so that a repeated one does nothing twice', async () => {
    const { api: a, seen } = api(() => json({}));
    await a.submit({ path: 'a.ipynb' }, 'key-1');
    expect(seen[0]).toMatchObject({
      method: 'POST',
      key: 'key-1',
      body: { path: 'a.ipynb' }
    });
  });

  it('fail with the sentence of the server', async () => {
    const body = { message: 'there is no such job', reason: 'UnknownJob' };
    const { api: a } = api(() => json(body, 404));
    const error = await a.job('a').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RequestError);
    expect(error).toMatchObject({ ...body, status: 404, away: false });
  });

  it('know a server that is away, by itself or behind a proxy', async () => {
    const gateway = api(() => new Response('<html>', { status: 503 })).api;
    const none = api(() => {
      throw new TypeError('Failed to fetch');
    }).api;
    for (const one of [gateway, none]) {
      const error = await one.about().catch((e: unknown) => e);
      expect(error).toMatchObject({
        away: true,
        message: 'The Jupyter server does not answer.'
      });
    }
  });
});

describe('a server that JupyterHub has stopped', () => {
  const silent = {
    away: true,
    message: 'The Jupyter server does not answer.'
  };
  const message = 'JupyterHub server no longer running at /user/a/.';

  it('is away, also for who wants something done there', async () => {
    const { api: a, seen } = api(method =>
      method === 'GET' ? json({ message }, 424) : page(403)
    );
    await expect(a.jobs({})).rejects.toMatchObject(silent);
    await expect(a.cancel('a')).rejects.toMatchObject(silent);
    await expect(a.delete('a')).rejects.toMatchObject(silent);
    expect(seen.map(one => one.method).join()).toBe('GET,POST,GET,DELETE,GET');
  });

  it('is not what a proxy refuses, nor what ours says', async () => {
    const proxy = api(method =>
      method === 'GET' ? json({ version: '1' }) : page(403)
    );
    await expect(proxy.api.cancel('a')).rejects.toMatchObject({
      away: false,
      status: 403
    });
    const ours = api(() => json({ message: 'no', reason: 'Denied' }, 424));
    await expect(ours.api.cancel('a')).rejects.toMatchObject({ away: false });
    expect(ours.seen).toHaveLength(1);
  });
});

describe('sentences', () => {
  it('are asked for in the user’s language, with each request', async () => {
    const japanese: ISentences = {
      language: 'ja-JP',
      silence: '応答しません',
      signedOut: 'サインアウト',
      answered: status => `応答は ${status} です`
    };
    const { api: a, seen } = api(() => json({ jobs: [] }), japanese);
    await a.jobs({});
    await a.submit({ path: 'a.ipynb' }, 'key-1');
    await a.delete('a');
    expect(seen.map(one => one.language)).toEqual(['ja-JP', 'ja-JP', 'ja-JP']);
    expect(seen[1].key).toBe('key-1');
    const other = api(() => json({}));
    await other.api.about();
    expect(other.seen[0].language).toBe('en');
    const broken = api(
      () => new Response('<html>', { status: 500, statusText: 'Oh' }),
      japanese
    );
    await expect(broken.api.about()).rejects.toMatchObject({
      message: '応答は 500 Oh です'
    });
  });
});
