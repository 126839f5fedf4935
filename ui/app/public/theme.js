// Runs before the first paint, so that a chosen theme never flashes the other
// one. Without a choice the style sheet follows the system.
(function () {
  var theme = new URLSearchParams(location.search).get("uiTheme");
  try {
    theme = theme || localStorage.getItem("spandrel.theme");
  } catch {
    // storage is blocked: follow the system
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
