/* Runs a SavedModel with TensorFlow's own loader and kernels, without Python:
 *
 *     c_loader DIRECTORY < JOB
 *
 * The loader is that of TensorFlow Serving: by the tag `serve`, then by names of tensors, such
 * as `serving_default_image:0`. jobs.py says what a job is.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

enum { MOST = 8, LONGEST = 256 };

typedef struct {
  TF_Output place[MOST];
  TF_Tensor *value[MOST];
  char file[MOST][LONGEST];
  int count;
} Tensors;

static TF_Status *status;
static TF_Graph *graph;

static void require(int condition, const char *what) {
  if (condition && (status == NULL || TF_GetCode(status) == TF_OK)) return;
  fprintf(stderr, "%s: %s\n", what, status == NULL ? "" : TF_Message(status));
  exit(1);
}

/* Reads NAME and FILE of a line, and looks the tensor up in the graph. */
static void add(Tensors *tensors) {
  char name[LONGEST];
  int at = tensors->count++;
  require(at < MOST, "too many tensors");
  require(scanf("%255s %255s", name, tensors->file[at]) == 2, "expected NAME FILE");
  char *colon = strrchr(name, ':');
  require(colon != NULL, "a name must be OPERATION:INDEX");
  *colon = '\0';
  tensors->place[at].oper = TF_GraphOperationByName(graph, name);
  tensors->place[at].index = atoi(colon + 1);
  require(tensors->place[at].oper != NULL, name);
}

static void read_input(Tensors *inputs) {
  int64_t sizes[MOST], elements = 1;
  int rank;
  add(inputs);
  require(scanf("%d", &rank) == 1 && rank <= MOST, "expected RANK");
  for (int axis = 0; axis < rank; axis++) {
    long long size;
    require(scanf("%lld", &size) == 1, "expected SIZE");
    elements *= sizes[axis] = size;
  }
  int last = inputs->count - 1;
  TF_Tensor *tensor = TF_AllocateTensor(TF_FLOAT, sizes, rank, elements * sizeof(float));
  FILE *file = fopen(inputs->file[last], "rb");
  require(file != NULL, inputs->file[last]);
  size_t found = fread(TF_TensorData(tensor), sizeof(float), elements, file);
  require(found == (size_t)elements, inputs->file[last]);
  fclose(file);
  inputs->value[last] = tensor;
}

static void write_output(const char *path, TF_Tensor *tensor) {
  require(TF_TensorType(tensor) == TF_FLOAT, "an output must be float32");
  FILE *file = fopen(path, "wb");
  require(file != NULL, path);
  size_t bytes = TF_TensorByteSize(tensor);
  require(fwrite(TF_TensorData(tensor), 1, bytes, file) == bytes, path);
  require(fclose(file) == 0, path);
  printf("%s %d", path, TF_NumDims(tensor));
  for (int axis = 0; axis < TF_NumDims(tensor); axis++) {
    printf(" %lld", (long long)TF_Dim(tensor, axis));
  }
  printf("\n");
}

static void run(TF_Session *session, Tensors *inputs, Tensors *outputs) {
  TF_SessionRun(session, NULL, inputs->place, inputs->value, inputs->count, outputs->place,
                outputs->value, outputs->count, NULL, 0, NULL, status);
  require(1, "TF_SessionRun");
  for (int i = 0; i < outputs->count; i++) {
    write_output(outputs->file[i], outputs->value[i]);
    TF_DeleteTensor(outputs->value[i]);
  }
  for (int i = 0; i < inputs->count; i++) TF_DeleteTensor(inputs->value[i]);
  inputs->count = outputs->count = 0;
}

int main(int argc, char **argv) {
  require(argc == 2, "usage: c_loader DIRECTORY < JOB");
  const char *tag = "serve";
  status = TF_NewStatus();
  graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Session *session =
      TF_LoadSessionFromSavedModel(options, NULL, argv[1], &tag, 1, graph, NULL, status);
  require(session != NULL, "TF_LoadSessionFromSavedModel");

  Tensors inputs = {.count = 0}, outputs = {.count = 0};
  char word[LONGEST];
  while (scanf("%255s", word) == 1) {
    if (strcmp(word, "input") == 0) {
      read_input(&inputs);
    } else if (strcmp(word, "output") == 0) {
      add(&outputs);
    } else {
      run(session, &inputs, &outputs);
    }
  }
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
