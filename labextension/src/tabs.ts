/** Notebook 7 shows one document in each tab of the browser, JupyterLab all of them in one. */
import { PageConfig, URLExt } from '@jupyterlab/coreutils';

/** The parts of an address that ask for a job, and for a part of its page. */
const ASKED = 'jupyter-hybrid-job';
const PART = 'jupyter-hybrid-part';

/** What Notebook 7 shows in this tab (`tree`, `notebooks`, `edit`, …); empty in JupyterLab. */
export function tabShows(): string {
  return PageConfig.getOption('notebookPage');
}

/** Open a tab for a job: in the tree, where its page is, or in a notebook. False where the browser refuses. */
export function openTab(
  job: string,
  { path, part }: { path?: string; part?: string }
): boolean {
  const base = PageConfig.getBaseUrl();
  const shown =
    path === undefined
      ? URLExt.join(base, 'tree')
      : URLExt.join(base, 'notebooks', URLExt.encodeParts(path));
  const address = new URL(shown, window.location.origin);
  address.searchParams.set(ASKED, job);
  if (part !== undefined) {
    address.searchParams.set(PART, part);
  }
  // one tab for each job's page; notebooks are in tabs without a name, as Notebook 7 opens them
  const name = path === undefined ? `${ASKED}-${job}` : '_blank';
  return window.open(address, name) !== null;
}

/** The job that this tab was opened for; null where it was opened for none. */
export function askedJob(): string | null {
  return new URLSearchParams(window.location.search).get(ASKED);
}

/** The part of its page that is to be shown. */
export function askedPart(): string | undefined {
  return new URLSearchParams(window.location.search).get(PART) ?? undefined;
}

/** Do not ask for it once more after a reload. */
export function forgetAsked(): void {
  const address = new URL(window.location.href);
  if (address.searchParams.has(ASKED)) {
    address.searchParams.delete(ASKED);
    address.searchParams.delete(PART);
    window.history.replaceState(window.history.state, '', address);
  }
}

/**
 * What a tab remembers over a reload; Notebook 7 keeps the state of no workspace. Where the browser
 * lets nothing be remembered, nothing is.
 */
export const tabState = {
  fetch: (key: string): Promise<string | null> =>
    tried(() => window.sessionStorage.getItem(key)),
  save: async (key: string, value: string): Promise<void> => {
    await tried(() => window.sessionStorage.setItem(key, value));
  },
  remove: async (key: string): Promise<void> => {
    await tried(() => window.sessionStorage.removeItem(key));
  }
};

function tried<T>(action: () => T): Promise<T | null> {
  try {
    return Promise.resolve(action());
  } catch {
    return Promise.resolve(null);
  }
}
