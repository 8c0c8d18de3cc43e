import { contextBridge, ipcRenderer } from 'electron';
import { ANSWER, QUESTION } from '../shared/channels';
import type { HyperionPage } from '../shared/question';

const page: HyperionPage = {
  question: () => ipcRenderer.invoke(QUESTION),
  answer: (answer) => ipcRenderer.send(ANSWER, answer),
};

contextBridge.exposeInMainWorld('hyperionPage', page);
