/** Commands that open the dialog. */
import { Dialog, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog, type IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { elsewhereIcon } from '../icons';
import { CommandIDs } from '../ids';
import type { IJob } from '../records';
import type { IJobsManager } from '../tokens';
import { oneLine } from '../words';

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

export function addSubmitCommands(options: ISubmitCommandOptions): void {
  const { commands, manager, trans, base, notebooks, files } = options;
  const current = (): NotebookPanel | null => notebooks.currentWidget;
  const open = async (path: string): Promise<void> => {
    const { openSubmitDialog, onScreen } = await import('../submit');
    const panel = notebooks.find(({ context }) => context.path === path);
    await panel?.context.ready;
    const model = panel?.context.model;
    const content = model ? onScreen(model) : null;
    const choices = { manager, trans, base, path, content };
    finish(options, await openSubmitDialog(choices));
  };
  commands.addCommand(CommandIDs.submit, {
    label: trans.__('Run Elsewhere…'),
    caption: trans.__('Run this notebook on another machine'),
    icon: elsewhereIcon,
    execute: async args => {
      const path =
        text(args, 'path') ??
        (text(args, 'cwd') === null ? current()?.context.path : null) ??
        (await choose(options, text(args, 'cwd')));
      if (path !== null) {
        await open(path);
      }
    }
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
    execute: async () => {
      const path = selected();
      if (path !== null) {
        await open(path);
      }
    }
  });
  commands.addCommand(CommandIDs.rerunEdited, {
    label: trans.__('Run Again with Changes…'),
    icon: elsewhereIcon,
    execute: async args => {
      const id = text(args, 'id');
      if (id !== null) {
        await openForJob(options, id);
      }
    }
  });
}

async function openForJob(
  options: ISubmitCommandOptions,
  id: string
): Promise<void> {
  const { manager, trans, base } = options;
  try {
    const [{ openSubmitDialog }, job] = await Promise.all([
      import('../submit'),
      manager.job(id)
    ]);
    const path = job.path ?? job.name;
    const choices = { manager, trans, base, path, content: null, job };
    finish(options, await openSubmitDialog(choices));
  } catch (error) {
    await showErrorMessage(
      trans.__('This job cannot be run again'),
      error as Error,
      [Dialog.okButton({ label: trans.__('Close') })]
    );
  }
}

/** Show what was sent. */
function finish(
  { commands, trans }: ISubmitCommandOptions,
  job: IJob | null
): void {
  if (job === null) {
    return;
  }
  if (commands.hasCommand(CommandIDs.showJobs)) {
    void commands.execute(CommandIDs.showJobs, { id: job.id });
  } else {
    Notification.success(sentTo(trans, job), { autoClose: 3000 });
  }
}

function sentTo(trans: TranslationBundle, { name, target }: IJob): string {
  return trans.__('%1 was sent to %2', oneLine(name), oneLine(target));
}

/** A notebook that somebody chooses; null for none. */
async function choose(
  { documents, trans }: ISubmitCommandOptions,
  cwd: string | null
): Promise<string | null> {
  if (!documents) {
    return null;
  }
  const chosen = await FileDialog.getOpenFiles({
    manager: documents,
    title: trans.__('Which notebook shall run elsewhere?'),
    defaultPath: cwd ?? undefined,
    filter: ({ type, name }) =>
      type === 'notebook' || PathExt.extname(name) === '.ipynb' ? {} : null
  });
  return chosen.value?.at(0)?.path ?? null;
}

function text(args: ReadonlyPartialJSONObject, name: string): string | null {
  const value = args[name];
  return typeof value === 'string' ? value : null;
}
