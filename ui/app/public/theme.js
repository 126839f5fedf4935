// Runs before the first paint. It asks for what the view of this address will
// need, long before that view's script runs. Then it sets the theme, so that a
// chosen one never flashes the other; without a choice the style sheet follows
// the system. In this order, for storage may take its time.
(function () {
  var query = new URLSearchParams(location.search);
  function link(rel, href) {
    var l = document.createElement("link");
    l.rel = rel;
    if (rel === "preload") l.as = "fetch";
    l.crossOrigin = "anonymous";
    l.href = href;
    document.head.append(l);
  }
  var path = location.href.slice(document.baseURI.length).split(/[?#]/)[0];
  var id = /^trace\/([0-9a-f]{1,32})$/.exec(path);
  var files = document.currentScript.dataset[id ? "trace" : /^(search)?$/.test(path) ? "search" : ""];
  if (id && !query.has("cols")) link("preload", "api/ui/v1/traces/" + id[1] + "/skeleton");
  (files || "").split(" ").filter(Boolean).forEach(function (file) {
    link("modulepreload", file);
  });

  var theme = query.get("uiTheme");
  try {
    theme = theme || localStorage.getItem("spandrel.theme");
  } catch {
    // storage is blocked: follow the system
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
