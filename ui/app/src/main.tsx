import { createRoot } from "react-dom/client";
import { App, preload } from "./app";
import { readColumns } from "./columns";
import { place } from "./router";
import { prefetch } from "./trace/load";
import "./styles.css";

// The view and a trace's skeleton are asked for before anything is drawn.
preload(place().path);
const trace = /^trace\/([^/]+)$/.exec(place().path);
if (trace && !trace[1]!.includes("...")) prefetch(decodeURIComponent(trace[1]!), readColumns(place().query));

createRoot(document.getElementById("app")!).render(<App />);
