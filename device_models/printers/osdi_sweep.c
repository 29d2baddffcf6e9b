/* All cells of a circuit in one sweep, when the first of them is evaluated in an iteration.
 *
 * A cell enrols when it is evaluated for the first time; the sweep keeps copies in the order of enrolment
 * and no pointer to an instance, which ngspice frees without telling. There is one sweep a thread: cells
 * that another thread enrolled, or that nobody did, evaluate alone. Nothing here changes a result but one
 * thing: a time step's first linearisation is not at the last step's solution but where the last ones point.
 */

static uint64_t generations; /* in the whole process, counted by atomic operations */

/* PAST accepted time points give the prediction, the polynomial through them; LARGEST_WEIGHT is that of one of them,
 * larger where two are too close together to extrapolate from. Both are printed with the family's sizes.
 */

/* What a cell has from a sweep, in the order in which ngspice asks for it. */
typedef struct {
  double seen[OWN], x[OWN]; /* own states in the simulator's solution, and where they were linearised */
  double rate[OWN], slope[OWN * OWN];
  uint32_t own[OWN];        /* numbers of their nodes */
} Result;

typedef struct {
  uint64_t generation, setups;
  const double *solution;   /* of the last sweep, or of the enrolment: where it was and */
  double time;              /* when */
  bool closed, slopes_wanted;
  uint32_t cells, cells_room, links, links_room, nodes, nodes_room;
  double w, switches[CHUNKS];
  uint32_t chunk, known;    /* known: how many past points there are */
  double times[PAST];
  /* a cell */
  Result *results;
  uint32_t *first;          /* its first link */
  double *g, *parameters[CHUNKS], *by_sum;
  /* a link */
  uint32_t *from;           /* the neighbour's node */
  double *weight[CHUNKS];
  /* a node, by its number */
  double *x, *features, *slopes, *past[PAST];
  Drive drive;
} Sweep;

/* One a thread. Only a pointer, as the fastest kind of thread-local storage is scarce for loaded libraries. */
static _Thread_local Sweep *sweep __attribute__((tls_model("initial-exec")));

static bool grow(void *array, size_t count, size_t size) {
  void *larger = realloc(*(void **)array, count * size);
  if (larger) *(void **)array = larger;
  return larger != NULL;
}

static bool room_for_cell(Sweep *s, uint32_t neighbours, uint32_t top) {
  bool enough = true;
  if (s->cells + 1 >= s->cells_room) {
    uint32_t room = 2 * s->cells + 64;
    enough &= grow(&s->results, room, sizeof(Result)) && grow(&s->first, room, sizeof(uint32_t)) &&
              grow(&s->g, room, sizeof(double)) && grow(&s->by_sum, room, sizeof(double) * FEATURES);
    for (int k = 0; k < CHUNKS; k++)
      enough &= grow(&s->parameters[k], room, sizeof(double) * (PARAMETERS + 1));
    enough &= drive_room(&s->drive, room);
    if (enough) s->cells_room = room;
  }
  if (s->links + neighbours > s->links_room) {
    uint32_t room = 2 * s->links + neighbours + 64;
    enough &= grow(&s->from, room, sizeof(uint32_t));
    for (int k = 0; k < CHUNKS; k++) enough &= grow(&s->weight[k], room, sizeof(double));
    if (enough) s->links_room = room;
  }
  if (top >= s->nodes_room) {
    uint32_t room = 2 * top + 64;
    enough &= grow(&s->x, room, sizeof(double)) && grow(&s->features, room, sizeof(double) * FEATURES) &&
              grow(&s->slopes, room, sizeof(double) * FEATURES);
    for (int k = 0; k < PAST; k++) enough &= grow(&s->past[k], room, sizeof(double));
    if (enough) s->nodes_room = room;
  }
  return enough;
}

RARE static void enrol(Sweep *s, Cell *cell, const Model *model, const SimulatorInfo *info) {
  uint64_t now = __atomic_load_n(&setups, __ATOMIC_RELAXED);
  bool same = s->setups == now && s->solution == info->prev_solve && s->time == info->abstime;
  if (s->closed || !s->cells || !same) { /* another circuit, or the same one set up anew */
    s->generation = __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED);
    s->setups = now;
    s->solution = info->prev_solve;
    s->time = info->abstime;
    s->closed = s->slopes_wanted = false;
    s->cells = s->links = s->nodes = s->known = 0;
    s->chunk = chunk_at(model->switches, info->abstime);
    memcpy(s->switches, model->switches, sizeof s->switches);
    s->w = model->w;
    drive_begin(&s->drive, &model->noise, model->g / model->c);
  }
  if (CARRIER && s->w != model->w) return;
  if (CHUNKS > 1 && memcmp(s->switches, model->switches, sizeof(double) * (CHUNKS - 1))) return;
  if (!drive_fits(&s->drive, &model->noise, model->g / model->c)) return;
  const uint32_t *node = node_numbers(cell), d = cell->neighbours;
  uint32_t top = 0;
  for (uint32_t j = 0; j < OWN + d; j++) top = node[j] > top ? node[j] : top;
  if (!room_for_cell(s, d, top)) return;

  cell->index = s->cells;
  cell->generation = s->generation;
  memcpy(s->results[s->cells].own, node, sizeof(uint32_t) * OWN);
  s->first[s->cells] = s->links;
  s->first[s->cells + 1] = s->links + d;
  s->g[s->cells] = model->g * values(cell)[0];
  memcpy(s->from + s->links, node + OWN, sizeof(uint32_t) * d);
  for (uint32_t k = 0; k < CHUNKS; k++) {
    gather_parameters(cell, k, s->parameters[k] + (size_t)s->cells * PARAMETERS);
    memcpy(s->weight[k] + s->links, weights(cell, k), sizeof(double) * d);
  }
  drive_add(&s->drive, s->cells, values(cell)[INSTANCE_PARAMETERS], node[0]);
  s->cells += 1;
  s->links += d;
  s->nodes = top + 1 > s->nodes ? top + 1 : s->nodes;
  s->slopes_wanted |= cell->full;
}

/* The step that ended at s->time was accepted, with the solution the simulator now starts from. */
static void remember(Sweep *s, const double *solution) {
  drive_accept(&s->drive, s->cells, s->time, s->known ? s->time - s->times[0] : 0);
  double *oldest = s->past[PAST - 1];
  for (int k = PAST - 1; k > 0; k--) s->past[k] = s->past[k - 1], s->times[k] = s->times[k - 1];
  s->past[0] = oldest;
  s->times[0] = s->time;
  memcpy(oldest, solution, sizeof(double) * s->nodes);
  drive_smooth(&s->drive, s->cells, oldest);
  if (s->known < PAST) s->known += 1;
}

/* Fills s->x with the polynomial through the past points, at `time`. */
static void predict(Sweep *s, double time) {
  double share[PAST] = {1.0};
  for (uint32_t points = s->known; points > 1; points--) { /* fewer, until none weighs too much */
    double largest = 0;
    for (uint32_t a = 0; a < points; a++) {
      share[a] = 1;
      for (uint32_t b = 0; b < points; b++)
        if (b != a) share[a] *= (time - s->times[b]) / (s->times[a] - s->times[b]);
      largest = fmax(largest, fabs(share[a]));
    }
    if (largest < LARGEST_WEIGHT) break;
    memset(share, 0, sizeof share);
    share[0] = 1;
  }
  for (uint32_t n = 0; n < s->nodes; n++) s->x[n] = share[0] * s->past[0][n];
  for (uint32_t a = 1; a < s->known; a++)
    if (share[a] != 0)
      for (uint32_t n = 0; n < s->nodes; n++) s->x[n] += share[a] * s->past[a][n];
  drive_predict(&s->drive, s->cells, s->x, time - s->times[0]);
}

RARE static void run_sweep(Sweep *s, const SimulatorInfo *info) {
  const double *restrict solution = info->prev_solve;
  bool first_of_step = info->abstime != s->time, predicted = false;
  if (first_of_step) {
    if (info->abstime > s->time) remember(s, solution);
    uint32_t chunk = chunk_at(s->switches, info->abstime);
    if (chunk != s->chunk && s->known) s->known = 1; /* the rates jump: older points mislead */
    s->chunk = chunk;
    predicted = s->known && !(info->flags & ANALYSIS_INITIAL);
  }
  s->solution = solution;
  s->time = info->abstime;
  drive_at(&s->drive, s->cells, info->abstime);
  if (predicted) predict(s, info->abstime);
  else memcpy(s->x, solution, sizeof(double) * s->nodes);

  all_features(s->nodes, s->x, s->features);
  if (s->slopes_wanted)
    for (uint32_t n = 0; n < s->nodes; n++) cell_slopes(s->x[n], s->slopes + (size_t)n * FEATURES);

  double timed[TIMED + 1];
  time_terms(s->w * info->abstime, timed);
  const double *restrict weight = s->weight[s->chunk], *restrict features = s->features;
  const uint32_t *restrict from = s->from;
  for (uint32_t i = 0; i < s->cells; i++) {
    double sums[FEATURES] = {0};
    for (uint32_t k = s->first[i], end = s->first[i + 1]; k < end; k++) {
      const double *feature = features + (size_t)from[k] * FEATURES;
      for (int f = 0; f < FEATURES; f++) sums[f] += weight[k] * feature[f];
    }
    Result *result = s->results + i;
    for (int a = 0; a < OWN; a++) {
      result->seen[a] = solution[result->own[a]];
      result->x[a] = s->x[result->own[a]];
    }
    cell_rate(result->x, features + (size_t)result->own[0] * FEATURES, sums,
              s->parameters[s->chunk] + (size_t)i * PARAMETERS, timed, result->rate, result->slope,
              s->by_sum + (size_t)i * FEATURES);
    result->rate[0] += drive_rate(&s->drive, i);
  }
}

/* Whether the cell has its results from a sweep of this very iteration.
 *
 * In a transient two iterations differ in time or, as ngspice swaps its two vectors, in the solution's
 * address. Only there: an operating point may restart with other values at the same address.
 */
static bool fetch_from_sweep(Cell *cell, const Model *model, const SimulatorInfo *info) {
  if (!(info->flags & ANALYSIS_TRANSIENT)) return false;
  if (!sweep && !(sweep = calloc(1, sizeof *sweep))) return false;
  Sweep *s = sweep;
  if (cell->generation != s->generation || !s->cells) {
    enrol(s, cell, model, info);
    return false;
  }
  if (info->prev_solve != s->solution || info->abstime != s->time) {
    if (!(info->abstime > 0)) return false;
    s->closed = true;
    run_sweep(s, info);
  }
  uint32_t i = cell->index;
  const Result *result = s->results + i;
  if (!s->closed) return false;
  for (int a = 0; a < OWN; a++)
    if (info->prev_solve[result->own[a]] != result->seen[a]) return false;
  bound_step(&cell->bound, &model->noise, info->abstime, info->abstime - (s->known ? s->times[0] : 0));
  finish(cell, result->x, s->g[i], result->rate, result->slope);
  if (cell->full)
    finish_full(cell, s->g[i], s->weight[s->chunk] + s->first[i], s->by_sum + (size_t)i * FEATURES, s->x, s->slopes);
  return true;
}
