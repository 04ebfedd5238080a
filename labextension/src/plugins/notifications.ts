/** Tells of jobs by JupyterLab's notifications and, if somebody wants it, by the browser's. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import {
  ITranslator,
  type TranslationBundle,
  nullTranslator
} from '@jupyterlab/translation';

import { moment, serverNow } from '../clock';
import { CommandIDs, DOMAIN, PluginIDs } from '../ids';
import { Leave, showByBrowser } from '../notices/browser';
import { Failures, Troubles } from '../notices/lasting';
import { type INotice, Notices } from '../notices/notices';
import { unfinished } from '../notices/unfinished';
import { Waiting } from '../notices/waiting';
import { withWhole } from '../notices/whole';
import type { IJob } from '../records';
import { tabState } from '../tabs';
import { IJobsManager } from '../tokens';

/** Milliseconds between two looks at who waits. */
const LOOK = 15_000;
/** Milliseconds for which it is shown that a job is done. */
const SHORT = 8000;

interface IWishes {
  ended: boolean;
  /** Minutes; 0: never. */
  waiting: number;
  browser: boolean;
}

export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.notifications,
  description: 'Tells when a job is done, has failed or waits long.',
  autoStart: true,
  requires: [IJobsManager],
  optional: [ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    manager: IJobsManager,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const notices = new Notices(trans, moment());
    let wishes: IWishes = { ended: true, waiting: 10, browser: false };
    const open = ({ id }: IJob): void =>
      void app.commands.execute(CommandIDs.openJob, { id });
    const openAll = (): void => void app.commands.execute(CommandIDs.showJobs);
    const failures = new Failures(trans, open, openAll);
    const troubles = new Troubles(trans);
    manager.targetsChanged.connect((_, targets) => troubles.take(targets));
    const tell = (notice: INotice): void => {
      const { job, text, several } = notice;
      const look = several ? openAll : (): void => open(job);
      if (notice.kind === 'failed') {
        failures.tell(job, text);
      } else {
        const label = several ? trans.__('Show jobs') : trans.__('Open');
        const act = { label, callback: look };
        show(notice, withWhole(trans, text, [act]));
      }
      if (wishes.browser) {
        showByBrowser(notice, look);
      }
    };
    manager.jobChanged.connect((_, change) => {
      const notice = wishes.ended ? notices.ofChange(change) : null;
      if (notice !== null) {
        tell(notice);
      }
    });
    void app.restored.then(() => {
      const list = unfinished(manager);
      // what was announced before somebody listened
      manager.targets().catch(() => {
        // asked again once the server answers
      });
      const waiting = new Waiting(trans, tabState);
      setInterval(() => {
        if (wishes.waiting > 0) {
          const long = wishes.waiting * 60;
          void waiting
            .look(list.jobs, long, serverNow())
            .then(found => found.forEach(tell));
        }
      }, LOOK);
    });
    registry?.transform(PluginIDs.notifications, {
      fetch: plugin => ({ ...plugin, schema: worded(plugin.schema, trans) })
    });
    registry?.load(PluginIDs.notifications).then(
      settings => {
        const leave = new Leave(trans);
        const read = (): void => {
          const asked = settings.composite as unknown as IWishes;
          if (asked.browser !== wishes.browser) {
            leave.want(asked.browser);
          }
          wishes = asked;
        };
        settings.changed.connect(read);
        read();
      },
      () => {
        // they can be done without; JupyterLab itself tells of what it cannot read
      }
    );
  }
};

/** The settings' own words, in the user's language: JupyterLab asks none but its own packs. */
function worded(
  schema: ISettingRegistry.ISchema,
  trans: TranslationBundle
): ISettingRegistry.ISchema {
  const said = <T extends { title?: string; description?: string }>(
    one: T
  ): T => ({
    ...one,
    ...(one.title ? { title: trans.gettext(one.title) } : {}),
    ...(one.description ? { description: trans.gettext(one.description) } : {})
  });
  const properties = Object.entries(schema.properties ?? {}).map(
    ([name, property]) => [name, said(property)] as const
  );
  const label = schema['jupyter.lab.setting-icon-label'];
  return {
    ...said(schema),
    properties: Object.fromEntries(properties),
    ...(label ? { 'jupyter.lab.setting-icon-label': trans.gettext(label) } : {})
  };
}

function show({ kind, text }: INotice, actions: Notification.IAction[]): void {
  Notification.emit(text, kind === 'done' ? 'success' : 'info', {
    autoClose: SHORT,
    actions
  });
}
