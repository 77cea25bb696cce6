// Asks the service, again and again while somebody looks.

export async function get(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== null));
  const stop = AbortSignal.timeout(5_000);
  const response = await fetch(`api/v1/${path}${query.size ? `?${query}` : ""}`, { signal: stop });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `the service answers with ${response.status}`);
  return answer;
}

const live = () => document.getElementById("live");
let lastAnswer = null;

function say(error) {
  const clock = (when) => when.toLocaleTimeString(undefined, { hourCycle: "h23" });
  live().classList.toggle("away", Boolean(error));
  const since = lastAnswer ? `, what you see is of ${clock(lastAnswer)}` : "";
  const text = error ? `no answer${since}` : "live";
  // Who has it read aloud is told of changes only.
  if (live().textContent !== text) live().textContent = text;
  live().title = error ? String(error.message ?? error) : "";
}

// Calls `ask` now and every so many milliseconds while the page is seen, until the answer of this function is called.
export function keep(ask, period) {
  let timer = null;
  let ended = false;
  let running = false;
  let again = false;
  async function turn() {
    clearTimeout(timer);
    again = running;
    if (ended || running) return;
    running = true;
    try {
      await ask();
      lastAnswer = new Date();
      if (!ended) say(null);
    } catch (error) {
      if (!ended) say(error);
    }
    running = false;
    if (again) turn();
    else if (!ended && !document.hidden) timer = setTimeout(turn, period);
  }
  document.addEventListener("visibilitychange", turn);
  turn();
  const end = () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turn);
  };
  return { end, now: turn };
}
