import { createRoot } from "react-dom/client";
import { earlyAnswers } from "./api";
import { App, preload } from "./app";
import { readColumns } from "./columns";
import { place } from "./router";
import { prefetch } from "./trace/load";
import "./styles.css";

/** How long, in ms, the first drawing waits for what it shows, so that it need not be drawn twice. */
const patience = 250;

// The view and its data are asked for before anything is drawn.
const view = preload(place().path);
const trace = /^trace\/([^/]+)$/.exec(place().path);
const loaded = trace && !trace[1]!.includes("...") ? prefetch(decodeURIComponent(trace[1]!), readColumns(place().query)) : undefined;
const ready = Promise.allSettled([view.then(earlyAnswers), loaded]);

void Promise.race([ready, new Promise((done) => setTimeout(done, patience))]).then(() => createRoot(document.getElementById("app")!).render(<App />));
