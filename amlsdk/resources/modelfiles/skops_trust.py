"""Types that a skops file may hold beyond those that skops itself trusts.

skops refuses every type it does not know. Each name here was looked at for what a file can do with it: build it with
any attributes, call it with any arguments it can hold, and have its `__setstate__` called. None of these opens a file,
starts a process, imports by name, evaluates text or unpickles.

Left out on purpose, though fitted models may hold them:
- frozen distributions of scipy.stats: their `__setstate__` runs generated source text;
- BallTree, quad trees, BSpline and libraries with native readers (xgboost, lightgbm): native code follows what they
  hold without checks;
- everything from a user's own module: importing it is running it.
"""

from __future__ import annotations

__all__ = ["HARMLESS"]

# Native code follows the indices in these unchecked; `index_checks` looks at every one before it is handed out.
_CHECKED = """
numpy.dtype
scipy.sparse._csc.csc_array
scipy.sparse._csc.csc_matrix
scipy.sparse._csr.csr_array
scipy.sparse._csr.csr_matrix
sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor
sklearn.metrics._dist_metrics.EuclideanDistance64
sklearn.neighbors._kd_tree.KDTree
sklearn.tree._tree.Tree
"""

# Parts of fitted estimators: plain Python classes that hold numbers, arrays and other estimators.
_PARTS = """
collections.OrderedDict
functools.partial
sklearn._loss.loss.HalfTweedieLoss
sklearn._loss.loss.HalfTweedieLossIdentity
sklearn.calibration._CalibratedClassifier
sklearn.calibration._SigmoidCalibration
sklearn.compose._column_transformer.make_column_selector
sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace
sklearn.gaussian_process.kernels.CompoundKernel
sklearn.gaussian_process.kernels.ConstantKernel
sklearn.gaussian_process.kernels.DotProduct
sklearn.gaussian_process.kernels.ExpSineSquared
sklearn.gaussian_process.kernels.Exponentiation
sklearn.gaussian_process.kernels.Matern
sklearn.gaussian_process.kernels.Product
sklearn.gaussian_process.kernels.RBF
sklearn.gaussian_process.kernels.RationalQuadratic
sklearn.gaussian_process.kernels.Sum
sklearn.gaussian_process.kernels.WhiteKernel
sklearn.model_selection._split.GroupKFold
sklearn.model_selection._split.KFold
sklearn.model_selection._split.RepeatedKFold
sklearn.model_selection._split.RepeatedStratifiedKFold
sklearn.model_selection._split.ShuffleSplit
sklearn.model_selection._split.StratifiedKFold
sklearn.model_selection._split.StratifiedShuffleSplit
sklearn.model_selection._split.TimeSeriesSplit
sklearn.neural_network._stochastic_optimizers.AdamOptimizer
sklearn.neural_network._stochastic_optimizers.SGDOptimizer
sklearn.utils._bunch.Bunch
sklearn.utils._metadata_requests.MetadataRequest
sklearn.utils._metadata_requests.MethodMetadataRequest
"""

# Functions of arrays, and what wraps them for a search over parameters.
_FUNCTIONS = """
numpy.max
numpy.mean
numpy.median
numpy.min
numpy.sum
sklearn.feature_selection._mutual_info.mutual_info_classif
sklearn.feature_selection._mutual_info.mutual_info_regression
sklearn.feature_selection._univariate_selection.chi2
sklearn.feature_selection._univariate_selection.f_classif
sklearn.feature_selection._univariate_selection.f_regression
sklearn.feature_selection._univariate_selection.r_regression
sklearn.metrics._classification.accuracy_score
sklearn.metrics._classification.balanced_accuracy_score
sklearn.metrics._classification.f1_score
sklearn.metrics._classification.jaccard_score
sklearn.metrics._classification.log_loss
sklearn.metrics._classification.matthews_corrcoef
sklearn.metrics._classification.precision_score
sklearn.metrics._classification.recall_score
sklearn.metrics._ranking.average_precision_score
sklearn.metrics._ranking.roc_auc_score
sklearn.metrics._regression.explained_variance_score
sklearn.metrics._regression.max_error
sklearn.metrics._regression.mean_absolute_error
sklearn.metrics._regression.mean_absolute_percentage_error
sklearn.metrics._regression.mean_squared_error
sklearn.metrics._regression.median_absolute_error
sklearn.metrics._regression.r2_score
sklearn.metrics._regression.root_mean_squared_error
sklearn.metrics._scorer._CurveScorer
sklearn.metrics._scorer._MultimetricScorer
sklearn.metrics._scorer._PassthroughScorer
sklearn.metrics._scorer._Scorer
sklearn.utils.validation.check_array
"""

HARMLESS = frozenset((_CHECKED + _PARTS + _FUNCTIONS).split())
