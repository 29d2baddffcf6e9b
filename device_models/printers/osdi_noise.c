/* White noise that drives a cell: normal numbers on a grid of times, linear between them.
 *
 * The numbers are those of device_models/noise.py, where their generator is described: a function of seed, sample,
 * node and grid point, so that whoever needs one computes it. A model card holds what follows here, in this order.
 */
enum { AMPLITUDE,  /* rate of a number of one, per model time unit */
       GRID,       /* s between grid points */
       LONGEST,    /* s, the longest step of the solver: a whole number of them between two grid points */
       SEED_LOW, SEED_HIGH, SAMPLE_LOW, SAMPLE_HIGH, /* words of 32 bits */
       NOISE_PARAMETERS };

enum { PER_BLOCK = 4 }; /* grid points that one evaluation of the generator serves */

static uint64_t key_word(const double *halves) { return (uint64_t)halves[1] << 32 | (uint64_t)halves[0]; }

/* Philox4x64-10 with counter (block, node, 0, 0), and what Box and Muller make of its words. */
static void draw_block(const double *noise, uint64_t block, uint64_t node, double *drawn) {
  uint64_t word[4] = {block, node, 0, 0}, key[2] = {key_word(noise + SEED_LOW), key_word(noise + SAMPLE_LOW)};
  for (int turn = 0; turn < 10; turn++) {
    unsigned __int128 a = (unsigned __int128)word[0] * 0xD2E7470EE14C6C93u;
    unsigned __int128 c = (unsigned __int128)word[2] * 0xCA5A826395121157u;
    word[0] = (uint64_t)(c >> 64) ^ word[1] ^ key[0];
    word[2] = (uint64_t)(a >> 64) ^ word[3] ^ key[1];
    word[1] = (uint64_t)c;
    word[3] = (uint64_t)a;
    key[0] += 0x9E3779B97F4A7C15u;
    key[1] += 0xBB67AE8584CAA73Bu;
  }
  for (int pair = 0; pair < PER_BLOCK; pair += 2) {
    double radius = sqrt(-2 * log(((double)(word[pair] >> 11) + 0.5) * 0x1p-53));
    double angle = 6.283185307179586476925 * ((double)(word[pair + 1] >> 11) * 0x1p-53);
    drawn[pair] = radius * cos(angle);
    drawn[pair + 1] = radius * sin(angle);
  }
}

/* Number of the last grid point, and the share of the way to the next one. */
static uint64_t grid_point(const double *noise, double time, double *share) {
  double at = time / noise[GRID], point = floor(at);
  *share = at - point;
  return (uint64_t)point;
}

/* The rate that the noise adds to a node. */
static double noise_rate(const double *noise, uint64_t node, double time) {
  double share, drawn[2][PER_BLOCK];
  uint64_t point = grid_point(noise, time, &share), block = point / PER_BLOCK, next = (point + 1) / PER_BLOCK;
  draw_block(noise, block, node, drawn[0]);
  if (next != block) draw_block(noise, next, node, drawn[1]);
  double from = drawn[0][point % PER_BLOCK], to = drawn[next != block][(point + 1) % PER_BLOCK];
  return noise[AMPLITUDE] * (from + share * (to - from));
}

/* The longest next step, after one of `last`: it ends at the next grid point, or leaves it at least as far away
 * again. A simulator that is told so lands on every grid point and rejects no step for being longer than the next.
 * It is a hair longer than that, as one that ends just before a breakpoint would be halved to meet it.
 */
static double bound_of_step(const double *noise, double time, double last) {
  double point = floor(time / noise[GRID] + 1e-6), left = (point + 1) * noise[GRID] - time;
  return left / ceil(left / fmin(2 * last, noise[LONGEST]) - 1e-6) * (1 + 1e-9);
}
