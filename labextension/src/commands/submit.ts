/** Commands that open the dialog. */
import { Dialog, Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { elsewhereIcon } from '../icons';
import { CommandIDs } from '../ids';
import type { IJob, IJobDetail } from '../records';
import { asError } from '../request';
import type { ISubject, Submitting } from '../submit';
import type { IJobsManager } from '../tokens';
import { oneLine } from '../words';
import { chooseNotebook } from './choosing';
import { told } from './told';

export interface ISubmitCommandOptions {
  commands: CommandRegistry;
  manager: IJobsManager;
  trans: TranslationBundle;
  /** Where the server is. */
  base: string;
  notebooks: INotebookTracker;
  /** Both for choosing a notebook where none is open. */
  documents: IDocumentManager | null;
  files: IFileBrowserFactory | null;
}

/** What the commands share. */
interface IShared extends ISubmitCommandOptions {
  /** Subjects, by their keys, whose dialog is open. */
  open: Set<string>;
}

export function addSubmitCommands(given: ISubmitCommandOptions): void {
  const options: IShared = { ...given, open: new Set() };
  const { commands, manager, trans, notebooks, documents, files } = options;
  const current = (): NotebookPanel | null => notebooks.currentWidget;
  const open = async (path: string): Promise<void> => {
    const { NotebookSubject, onScreen } = await import('../submit');
    const panel = notebooks.find(({ context }) => context.path === path);
    await panel?.context.ready;
    const screen = (): INotebookContent | null => {
      const model = panel?.context.model;
      // (somebody may have closed it since)
      return model && !model.isDisposed ? onScreen(model) : null;
    };
    await run(options, new NotebookSubject(manager, path, screen));
  };
  commands.addCommand(CommandIDs.submit, {
    label: trans.__('Run Elsewhere…'),
    caption: trans.__('Run this notebook on another machine'),
    icon: elsewhereIcon,
    execute: args =>
      told(trans, async () => {
        const path =
          text(args, 'path') ??
          (text(args, 'cwd') === null ? current()?.context.path : null) ??
          (documents &&
            (await chooseNotebook(documents, trans, text(args, 'cwd'))));
        if (path !== null) {
          await open(path);
        }
      })
  });
  const selected = (): string | null => {
    const items = [...(files?.tracker.currentWidget?.selectedItems() ?? [])];
    const [item] = items;
    return items.length === 1 && item.type === 'notebook' ? item.path : null;
  };
  commands.addCommand(CommandIDs.submitSelected, {
    label: trans.__('Run Elsewhere…'),
    caption: trans.__('Run this notebook on another machine'),
    icon: elsewhereIcon,
    isVisible: () => selected() !== null,
    execute: () =>
      told(trans, async () => {
        const path = selected();
        if (path !== null) {
          await open(path);
        }
      })
  });
  commands.addCommand(CommandIDs.rerunEdited, {
    label: trans.__('Run Again with Changes…'),
    icon: elsewhereIcon,
    execute: args =>
      told(trans, async () => {
        const id = text(args, 'id');
        if (id !== null) {
          await openForJob(options, id);
        }
      })
  });
}

async function openForJob(options: IShared, id: string): Promise<void> {
  const { manager, trans } = options;
  let job: IJobDetail;
  try {
    job = await manager.job(id);
  } catch (error) {
    await showErrorMessage(
      trans.__('This job cannot be run again'),
      error as Error,
      [Dialog.okButton({ label: trans.__('Close') })]
    );
    return;
  }
  const { JobSubject } = await import('../submit');
  await run(options, new JobSubject(manager, job));
}

/** Open the dialog until it is closed, or until what it sends is a job. */
async function run(options: IShared, subject: ISubject): Promise<void> {
  const { manager, trans, base, open } = options;
  const { Submitting } = await import('../submit');
  if (open.has(subject.key)) {
    // JupyterLab would show a second one below the first: a double click would be two jobs
    return;
  }
  const submitting = new Submitting({ manager, trans, base, subject });
  // what will show it among the jobs is there by then
  void import('../jobs/panelview').catch(() => undefined);
  try {
    while (await chosen(options, subject, submitting)) {
      try {
        const job = manager.sending.watch(submitting.sending, tell =>
          submitting.send(tell)
        );
        await show(options, job);
        return;
      } catch (error) {
        submitting.refuse(asError(error));
      }
    }
  } finally {
    submitting.dispose();
  }
  const job = await submitting.late();
  if (job !== null) {
    tellLate(options, job);
  }
}

/** Show the dialog; true where somebody wants it to be sent. */
async function chosen(
  { open }: IShared,
  { key }: ISubject,
  submitting: Submitting
): Promise<boolean> {
  open.add(key);
  try {
    return await submitting.open();
  } finally {
    open.delete(key);
  }
}

/** Show what is sent, at once and when it is a job. */
async function show(
  { commands, trans }: ISubmitCommandOptions,
  sent: Promise<IJob>
): Promise<void> {
  const shown = commands.hasCommand(CommandIDs.showJobs);
  if (shown) {
    void commands.execute(CommandIDs.showJobs);
  }
  const job = await sent;
  if (shown) {
    // whoever has gone on elsewhere meanwhile stays there
    const chosen = { id: job.id, activate: false };
    void commands.execute(CommandIDs.showJobs, chosen);
  } else {
    Notification.success(sentTo(trans, job), { autoClose: 3000 });
  }
}

/** Tell of a job that could not be taken back any more when the dialog was closed. */
function tellLate({ commands, trans }: ISubmitCommandOptions, job: IJob): void {
  const open = (): void =>
    void commands.execute(CommandIDs.openJob, { id: job.id });
  Notification.warning(sentTo(trans, job), {
    autoClose: false,
    actions: [{ label: trans.__('Open'), callback: open }]
  });
}

function sentTo(trans: TranslationBundle, { name, target }: IJob): string {
  return trans.__('%1 was sent to %2', oneLine(name), oneLine(target));
}

function text(args: ReadonlyPartialJSONObject, name: string): string | null {
  const value = args[name];
  return typeof value === 'string' ? value : null;
}
