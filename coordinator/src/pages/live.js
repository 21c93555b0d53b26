// Keeps the figures of a page as they are now; without it they are those of the last load.
(() => {
  const figures = document.querySelector("[data-events]");
  const [state, note] = ["state", "live"].map((id) => document.getElementById(id));
  let stream;

  const take = ({ data }) => {
    const now = JSON.parse(data);
    // Readers of the screen say it when it changes, and only then.
    if (state.textContent !== now.state) state.textContent = now.state;
    figures.innerHTML = now.figures;
    note.textContent = "Live.";
  };
  const stop = () => {
    stream?.close();
    stream = undefined;
  };
  const follow = () => {
    if (stream || document.hidden) return;
    stream = new EventSource(figures.dataset.events);
    stream.addEventListener("message", take);
    stream.addEventListener("end", () => {
      stop();
      location.reload();
    });
    stream.addEventListener("error", () => {
      note.textContent = stream.readyState === EventSource.CLOSED
        ? "The figures stand still: reload the page to see them as they are now."
        : "The coordinator does not answer: the figures stand still until it does.";
    });
  };
  // A page that nobody looks at holds no connection: browsers have few of them.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : follow()));
  follow();
})();
