import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Leave, showByBrowser } from '../src/notices/browser';
import { job } from './jobs';

/** What the browser shows, by tag: one with the tag of another takes its place. */
let shown: Map<string, string>;

class Shown {
  static permission = 'granted';
  static requestPermission = vi.fn();
  onclick = null;

  constructor(text: string, { tag }: { tag: string }) {
    shown.set(tag, text);
  }
}

beforeEach(() => {
  shown = new Map();
  Shown.permission = 'granted';
  Shown.requestPermission.mockClear();
  vi.stubGlobal('Notification', Shown);
  vi.spyOn(document, 'hasFocus').mockReturnValue(false);
});

afterEach(() => {
  Notification.dismiss();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it('tells the end of a job beside the news that it waits, in two windows once', () => {
  const open = (): void => undefined;
  showByBrowser({ job: job('a'), kind: 'waiting', text: 'waits' }, open);
  showByBrowser({ job: job('a'), kind: 'done', text: 'done' }, open);
  showByBrowser({ job: job('a'), kind: 'done', text: 'done' }, open);
  expect([...shown.values()]).toEqual(['waits', 'done']);
});

describe('the browser’s leave', () => {
  const asked = (): Notification.INotification[] =>
    Notification.manager.notifications;
  let leave: Leave;

  beforeEach(() => {
    leave = new Leave(nullTranslator.load(''));
  });

  it('is asked for by a click', () => {
    Shown.permission = 'default';
    leave.want(true);
    expect(Shown.requestPermission).not.toHaveBeenCalled();
    expect(asked()).toHaveLength(1);
    asked()[0].options.actions?.[0].callback({} as MouseEvent);
    expect(Shown.requestPermission).toHaveBeenCalledOnce();
  });

  it('is not asked for where it is given or refused, nor any more where nobody wants it', () => {
    for (const permission of ['granted', 'denied']) {
      Shown.permission = permission;
      leave.want(true);
      expect(asked()).toEqual([]);
    }
    Shown.permission = 'default';
    leave.want(true);
    leave.want(false);
    expect(asked()).toEqual([]);
  });
});
