import { createRoot } from "react-dom/client";
import { App } from "./app";
import { place } from "./router";
import { prefetch } from "./trace/load";
import "./styles.css";

// A trace's skeleton is asked for before anything is drawn.
const trace = /^trace\/([^/]+)$/.exec(place().path);
if (trace && !trace[1]!.includes("...")) prefetch(decodeURIComponent(trace[1]!));

createRoot(document.getElementById("app")!).render(<App />);
