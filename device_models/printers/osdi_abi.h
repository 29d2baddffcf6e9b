/* The Open Source Device Interface, version 0.4: the part a compiled cell fills in.
 *
 * Written from the interface's specification (working draft, January 2025): what a simulator finds in a
 * library, in the order and with the types it expects. ngspice 44 and later take it because the library says
 * how long a descriptor is (OSDI_DESCRIPTOR_SIZE); fields behind the last one here are then not read.
 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* glibc has sine and cosine for several numbers at once; only its own -ffast-math would say so. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((simd("notinbranch"))) double sin(double);
__attribute__((simd("notinbranch"))) double cos(double);
#endif

/* Not worth a place in the functions that call it, which ngspice calls for each device and iteration. */
#define RARE __attribute__((noinline))
#define NO_OFFSET UINT32_MAX
#define LOG_ERROR 4

enum { PARAMETER_REAL = 0, PARAMETER_TEXT = 2, PARAMETER_OF_MODEL = 0, PARAMETER_OF_INSTANCE = 1 << 30 };
enum { ACCESS_SET = 1, ACCESS_INSTANCE = 4, RETURN_FATAL = 2 };
enum { ENTRY_RESISTIVE_CONSTANT = 1, ENTRY_REACTIVE_CONSTANT = 2, ENTRY_RESISTIVE = 4, ENTRY_REACTIVE = 8 };
/* of an evaluation's flags: transient analysis, and its first step, which has no past yet */
enum { ANALYSIS_TRANSIENT = 1 << 13, ANALYSIS_INITIAL = 1 << 14 };

typedef struct { char **names; double *values; char **string_names, **string_values; } SimulatorParameters;

typedef struct {
  SimulatorParameters parameters;
  double abstime;      /* s; the end of the step that is being solved */
  double *prev_solve;  /* unknowns of the iteration before, indexed by the solver's node number */
  double *prev_state, *next_state;
  uint32_t flags;
} SimulatorInfo;

typedef struct { uint32_t code, parameter; } InitError;
typedef struct { uint32_t flags, errors_count; InitError *errors; } InitInfo;
typedef struct { uint32_t first, second; } NodePair;
typedef struct { NodePair nodes; uint32_t reactive_pointer_offset, flags; } JacobianEntry;

typedef struct {
  char *name, *units, *residual_units;
  uint32_t resistive_offset, reactive_offset, resistive_limit_offset, reactive_limit_offset;
  bool is_flow;
} Node;

typedef struct { char **names; uint32_t aliases; char *description, *units; uint32_t flags, length; } Parameter;
typedef struct { char *name; NodePair nodes; } NoiseSource;
typedef struct { uint32_t kind, index; } NatureReference;

typedef struct {
  char *name;
  uint32_t nodes_count, terminals_count;
  Node *nodes;
  uint32_t entries_count;
  JacobianEntry *entries;
  uint32_t collapsible_count;
  NodePair *collapsible;
  uint32_t collapsed_offset;
  NoiseSource *noise_sources;
  uint32_t noise_count;
  uint32_t parameters_count, instance_parameters_count, outputs_count;
  Parameter *parameters;
  uint32_t node_mapping_offset, resistive_pointers_offset;
  uint32_t states_count, state_index_offset;
  uint32_t bound_step_offset;
  uint32_t instance_size, model_size;
  void *(*access)(void *instance, void *model, uint32_t id, uint32_t flags);
  void (*setup_model)(void *handle, void *model, SimulatorParameters *, InitInfo *);
  void (*setup_instance)(
      void *handle, void *instance, void *model, double temperature, uint32_t terminals,
      SimulatorParameters *, InitInfo *);
  uint32_t (*eval)(void *handle, void *instance, void *model, SimulatorInfo *);
  void (*load_noise)(void *instance, void *model, double frequency, double *density);
  void (*load_residual_resist)(void *instance, void *model, double *target);
  void (*load_residual_react)(void *instance, void *model, double *target);
  void (*load_limit_rhs_resist)(void *instance, void *model, double *target);
  void (*load_limit_rhs_react)(void *instance, void *model, double *target);
  void (*load_spice_rhs_dc)(void *instance, void *model, double *target, double *prev_solve);
  void (*load_spice_rhs_tran)(void *instance, void *model, double *target, double *prev_solve, double alpha);
  void (*load_jacobian_resist)(void *instance, void *model);
  void (*load_jacobian_react)(void *instance, void *model, double alpha);
  void (*load_jacobian_tran)(void *instance, void *model, double alpha);
  uint32_t (*given_flag_model)(void *model, uint32_t id);
  uint32_t (*given_flag_instance)(void *instance, uint32_t id);
  uint32_t resistive_entries_count, reactive_entries_count;
  void (*write_jacobian_array_resist)(void *instance, void *model, double *target);
  void (*write_jacobian_array_react)(void *instance, void *model, double *target);
  uint32_t inputs_count;
  NodePair *inputs;
  void (*load_jacobian_with_offset_resist)(void *instance, void *model, size_t offset);
  void (*load_jacobian_with_offset_react)(void *instance, void *model, size_t offset);
  NatureReference *unknown_nature, *residual_nature;
} Descriptor;
